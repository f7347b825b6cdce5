// The queues of what leaves, mails and logout tokens, in SQLite.
import type Database from 'better-sqlite3'
import type { MailJob, MailStore } from '../../domain/ports.ts'
import { NEVER } from '../kept.ts'
import { key } from '../text.ts'

export function mails(db: Database.Database, table: 'mails' | 'logouts' = 'mails'): MailStore {
  const put = db.prepare<[string, string, number, number, number]>(
    `INSERT INTO ${table} (id, sealed, due_at, expires_at, attempts) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  )
  const lease = db.prepare<[number, number], MailJob>(
    `UPDATE ${table} SET due_at = ?, attempts = attempts + 1
     WHERE id = (SELECT id FROM ${table} WHERE due_at <= ? ORDER BY due_at, id LIMIT 1)
     RETURNING id, sealed, due_at AS dueAt, expires_at AS expiresAt, attempts`,
  )
  const remove = db.prepare<[string]>(`UPDATE ${table} SET sealed = '', due_at = ${NEVER} WHERE id = ?`)
  const retry = db.prepare<[number, string]>(`UPDATE ${table} SET due_at = ? WHERE id = ? AND due_at < ${NEVER}`)
  const size = db.prepare<[], { size: number }>(`SELECT count(*) AS size FROM ${table} WHERE due_at < ${NEVER}`)

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
