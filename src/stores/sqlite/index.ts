// The store in one local file: for trying out, for tests, and for one small site.
import type { Store } from '../../domain/ports.ts'
import { shield } from '../shield.ts'
import { accounts } from './accounts.ts'
import { audit } from './audit.ts'
import { budgets } from './budgets.ts'
import { claims } from './claims.ts'
import { openDatabase, runner, type SqliteOptions } from './database.ts'
import { flows } from './flows.ts'
import { mails } from './mails.ts'
import { rows } from './rows.ts'
import { tidy } from './tidy.ts'

export type { SqliteOptions } from './database.ts'

/**
 * Opens `file` (made when missing, mode 0600) or `:memory:`. Several processes on one machine may share a file.
 * Rejects with `StoreRefused` when it cannot be opened or is not ours; later failures are `Unavailable`.
 */
export async function sqliteStore(file: string, options: SqliteOptions = {}): Promise<Store> {
  const db = await openDatabase(file, options)
  const run = runner(db, options)
  const alive = db.prepare('SELECT count(*) FROM sqlite_schema')
  return {
    accounts: shield(run('accounts'), accounts(db)),
    flows: shield(run('flows'), flows(db)),
    budgets: shield(run('budgets'), budgets(db)),
    claims: shield(run('claims'), claims(db)),
    audit: shield(run('audit'), audit(db)),
    mails: shield(run('mails'), mails(db)),
    logouts: shield(run('logouts'), mails(db, 'logouts')),
    rows: shield(run('rows'), rows(db)),
    ping: () =>
      run('')(async () => {
        alive.get()
      }, 'ping'),
    tidy: tidy(db, run('')),
    close: async () => {
      // What was asked for before is written, or was refused.
      if (db.open) await run('')(async () => undefined).catch(() => undefined)
      db.close()
    },
  }
}
