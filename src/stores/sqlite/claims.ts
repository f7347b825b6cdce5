// Things decided once for all processes, in SQLite.
import type Database from 'better-sqlite3'
import type { ClaimStore } from '../../domain/ports.ts'
import { DAY } from '../kept.ts'
import { key } from '../text.ts'

export function claims(db: Database.Database): ClaimStore {
  const insert = db.prepare<[string, string, number | null]>(
    'INSERT INTO claims (id, value, remove_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const find = db.prepare<[string], { value: string }>('SELECT value FROM claims WHERE id = ?')
  const swap = db.prepare<[string, string, string]>('UPDATE claims SET value = ? WHERE id = ? AND value = ?')

  return {
    claim: async (id, value, expiresAt) => {
      insert.run(key(id), key(value), expiresAt === undefined ? null : expiresAt + DAY)
      return find.get(key(id))?.value ?? value
    },
    find: async (id) => find.get(key(id))?.value,
    swap: async (id, from, to) => swap.run(key(to), key(id), key(from)).changes === 1,
  }
}
