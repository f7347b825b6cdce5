// The store in MongoDB, shared by any number of processes.
import type { Store } from '../../domain/ports.ts'
import { DAY } from '../kept.ts'
import { shield } from '../shield.ts'
import { accounts } from './accounts.ts'
import { audit } from './audit.ts'
import { budgets } from './budgets.ts'
import { claims } from './claims.ts'
import { connect, unusable } from './connect.ts'
import { flows } from './flows.ts'
import { ensureIndexes } from './indexes.ts'
import { mails } from './mails.ts'
import { mustBeAtomic } from './race.ts'
import { rows } from './rows.ts'
import { run } from './run.ts'
import { type Models, models } from './schemas.ts'

/** What the server's own TTL indexes do too, where it has them, and what they cannot express. */
async function tidy(of: Models, now: number): Promise<void> {
  const past = { removeAt: { $lt: new Date(now) } }
  await run(async () => (await of.flows.deleteMany(past)).deletedCount)
  await run(async () => (await of.mails.deleteMany(past)).deletedCount)
  await run(async () => (await of.logouts.deleteMany(past)).deletedCount)
  await run(async () => (await of.rows.deleteMany(past)).deletedCount)
  await run(async () => (await of.claims.deleteMany(past)).deletedCount)
  await run(async () => (await of.budgets.deleteMany(past)).deletedCount)
  await run(async () => (await of.budgets.deleteMany({ inRow: 0, mattersUntil: { $lt: now - DAY } })).deletedCount)
}

/**
 * Connects, makes and checks the indexes, and makes sure that the server's conditional updates are atomic. Works on a
 * standalone server, a replica set and a sharded cluster: it needs no transactions. Rejects with `StoreRefused`; later
 * failures are `Unavailable`.
 */
export async function mongooseStore(uri: string): Promise<Store> {
  const { connection, where } = await connect(uri)
  try {
    await Promise.all([ensureIndexes(connection), mustBeAtomic(connection, where)])
  } catch (error) {
    await connection.destroy().catch(() => undefined)
    throw unusable(where, error)
  }
  const of = models(connection)
  return {
    accounts: shield(run, accounts(of)),
    flows: shield(run, flows(of)),
    budgets: shield(run, budgets(of)),
    claims: shield(run, claims(of)),
    audit: shield(run, audit(of)),
    mails: shield(run, mails(of.mails)),
    logouts: shield(run, mails(of.logouts)),
    rows: shield(run, rows(of)),
    ping: () =>
      run(async () => {
        await connection.db?.admin().ping()
      }),
    tidy: (now) => tidy(of, now),
    close: () => connection.close(),
  }
}
