// Flow records in SQLite, saved by compare-and-set.
import type Database from 'better-sqlite3'
import type { FlowStore } from '../../domain/ports.ts'
import type { FlowRecord } from '../../domain/types.ts'
import { DAY } from '../kept.ts'
import { fromText, key, toText } from '../text.ts'

export function flows(db: Database.Database): FlowStore {
  const find = db.prepare<[string], { body: string }>('SELECT body FROM flows WHERE id = ?')
  const insert = db.prepare<[string, number, number, string]>(
    'INSERT INTO flows (id, version, remove_at, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const replace = db.prepare<[number, number, string, string, number]>(
    'UPDATE flows SET version = ?, remove_at = ?, body = ? WHERE id = ? AND version = ?',
  )
  const remove = db.prepare<[string]>('DELETE FROM flows WHERE id = ?')

  return {
    find: async (id) => {
      const row = find.get(key(id))
      return row && fromText<FlowRecord>(row.body)
    },
    save: async (flow, version) => {
      const removeAt = flow.expiresAt + DAY
      const { changes } =
        version === 0
          ? insert.run(key(flow.id), flow.version, removeAt, toText(flow))
          : replace.run(flow.version, removeAt, toText(flow), key(flow.id), version)
      return changes === 1
    },
    remove: async (id) => {
      remove.run(key(id))
    },
  }
}
