// The outgoing mail queue in SQLite.
import type Database from 'better-sqlite3'
import type { MailJob, MailStore } from '../../domain/ports.ts'
import { key } from '../text.ts'

export function mails(db: Database.Database): MailStore {
  const put = db.prepare<[string, string, number, number, number]>(
    'INSERT INTO mails (id, sealed, due_at, expires_at, attempts) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const lease = db.prepare<[number, number], MailJob>(
    `UPDATE mails SET due_at = ?, attempts = attempts + 1
     WHERE id = (SELECT id FROM mails WHERE due_at <= ? ORDER BY due_at, id LIMIT 1)
     RETURNING id, sealed, due_at AS dueAt, expires_at AS expiresAt, attempts`,
  )
  const remove = db.prepare<[string]>('DELETE FROM mails WHERE id = ?')
  const retry = db.prepare<[number, string]>('UPDATE mails SET due_at = ? WHERE id = ?')
  const size = db.prepare<[], { size: number }>('SELECT count(*) AS size FROM mails')

  return {
    put: async (job) => {
      put.run(key(job.id), key(job.sealed), job.dueAt, job.expiresAt, job.attempts)
    },
    lease: async (now, leaseUntil) => lease.get(leaseUntil, now),
    remove: async (id) => {
      remove.run(key(id))
    },
    retry: async (id, dueAt) => {
      retry.run(dueAt, key(id))
    },
    size: async () => size.get()?.size ?? 0,
  }
}
