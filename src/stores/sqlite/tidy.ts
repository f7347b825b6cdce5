// Deletes what is expired for more than a day, a little at a time.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import type { Time } from '../../domain/types.ts'
import { DAY } from '../kept.ts'
import type { Run } from '../shield.ts'

/** Rows that go in one statement: the event loop and other processes wait no longer than that. */
const SHARE = 500

export function tidy(db: Database.Database, run: Run): (now: Time) => Promise<void> {
  const deletion = (table: string, condition: string) =>
    db.prepare<[number]>(
      `DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE ${condition} LIMIT ${SHARE})`,
    )
  const byRemoveAt = [
    deletion('flows', 'remove_at < ?'),
    deletion('budgets', 'remove_at IS NOT NULL AND remove_at < ?'),
    deletion('claims', 'remove_at IS NOT NULL AND remove_at < ?'),
  ]
  const aDayAfter = [
    deletion('budgets', 'in_row = 0 AND matters_until < ?'),
    deletion('mails', 'expires_at < ?'),
    deletion('logouts', 'expires_at < ?'),
    deletion('rows', 'expires_at IS NOT NULL AND expires_at < ?'),
  ]
  async function all(statement: Database.Statement<[number]>, time: Time): Promise<void> {
    while ((await run(async () => statement.run(time).changes)) === SHARE) await nextTurn()
  }

  return async (now) => {
    for (const statement of byRemoveAt) await all(statement, now)
    for (const statement of aDayAfter) await all(statement, now - DAY)
  }
}
