// The audit trail in SQLite.
import type Database from 'better-sqlite3'
import type { AuditFilter, AuditStore } from '../../domain/ports.ts'
import type { AuditEvent } from '../../domain/types.ts'
import { fromText, key, toText } from '../text.ts'

interface Place {
  at: number
  id: string
}

export function audit(db: Database.Database): AuditStore {
  const insert = db.prepare<[string, number, string | null, string, string]>(
    'INSERT INTO audit (id, at, account_id, kind, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const place = db.prepare<[string], Place>('SELECT at, id FROM audit WHERE id = ?')
  const append = db.transaction((events: readonly AuditEvent[]): void => {
    for (const event of events) {
      const accountId = event.accountId === undefined ? null : key(event.accountId)
      insert.run(key(event.id), event.at, accountId, key(event.kind), toText(event))
    }
  })

  /** The conditions that a filter asks for, each a piece of SQL with its values: values never become SQL. */
  function conditions(filter: AuditFilter): [string, ...(string | number)[]][] {
    const list: [string, ...(string | number)[]][] = []
    if (filter.accountId !== undefined) list.push(['account_id = ?', key(filter.accountId)])
    if (filter.kind !== undefined) list.push(['kind = ?', key(filter.kind)])
    if (filter.from !== undefined) list.push(['at >= ?', filter.from])
    if (filter.to !== undefined) list.push(['at <= ?', filter.to])
    if (filter.after !== undefined) {
      const after = place.get(key(filter.after))
      if (!after) throw new RangeError(`audit: there is no event "${filter.after}"`)
      list.push(['(at, id) > (?, ?)', after.at, after.id])
    }
    return list
  }

  return {
    append: async (events) => {
      if (events.length > 0) append.immediate(events)
    },
    query: async (filter, limit) => {
      const asked = conditions(filter)
      const where = asked.length > 0 ? `WHERE ${asked.map(([sql]) => sql).join(' AND ')}` : ''
      const query = db.prepare<(string | number)[], { body: string }>(
        `SELECT body FROM audit ${where} ORDER BY at, id LIMIT ?`,
      )
      const values = asked.flatMap(([, ...value]) => value)
      return query.all(...values, limit).map((row) => fromText<AuditEvent>(row.body))
    },
  }
}
