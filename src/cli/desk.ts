// Where an administrator's acts are done: the store opened, one conditional write with its event, the trail told at once.
import type { Act, Acting } from '../admin/act.ts'
import { type Loaded, loadConfig } from '../config/load.ts'
import { type Accounts, accountsOver } from '../domain/accounts.ts'
import { opaqueId, usernameKey } from '../domain/codes.ts'
import type { Store } from '../domain/ports.ts'
import { isProblem, Unavailable } from '../domain/problems.ts'
import type { Account } from '../domain/types.ts'
import { createMethods } from '../methods/index.ts'
import type { Method } from '../methods/method.ts'
import { endedJob } from '../oidc/logout-jobs.ts'
import { realChance } from '../server/chance.ts'
import { openStore } from '../stores/open.ts'
import { actor } from './actor.ts'
import type { Io } from './command.ts'
import { visible } from './visible.ts'

export interface Desk {
  io: Io
  config: Loaded
  methods: readonly Method[]
  store: Store
  accounts: Accounts
  /** The present moment, and who runs the command. */
  acting(): Acting
  /**
   * Writes what the account's outbox holds to the audit trail, so that it is seen at once. The outbox stays: a server empties
   * it, and tells the owner and its listeners. The trail keeps one of each event.
   */
  publish(account: Account): Promise<void>
}

export async function atDesk(file: string, io: Io, work: (desk: Desk) => Promise<number>): Promise<number> {
  const methods = createMethods()
  const config = await loadConfig(file, { env: io.env, methods })
  const store = await openStore(config.store)
  const committed = (): void => undefined
  const accounts = accountsOver({ store: store.accounts, usernameKey, chance: realChance, committed })
  try {
    return await work({
      io,
      config,
      methods,
      store,
      accounts,
      acting: () => ({ actor: actor(io), at: realChance.now(), id: () => opaqueId(realChance) }),
      async publish({ outbox }) {
        try {
          await store.audit.append(outbox)
        } catch (error) {
          if (!(error instanceof Unavailable)) throw error
          io.err('The event waits with the account; a running server brings it to the audit trail.')
        }
      },
    })
  } finally {
    await store.close()
  }
}

/** The account of that name, or undefined once a sentence has said that there is none. */
export async function named({ accounts, io }: Desk, username: string): Promise<Account | undefined> {
  const account = await accounts.findByUsername(username)
  if (!account) io.err(`There is no account "${visible(username)}".`)
  return account
}

/** `exit` says how the command ends when nothing was done; a sentence has said why. */
export type Performed = { done: Account } | { exit: number }

/** Does one act. What rests on an older epoch is dead from that write on; a server tells relying parties, and tidies up. */
export async function perform(desk: Desk, account: Account, act: Act): Promise<Performed> {
  const { io, accounts, store } = desk
  const said: { refused?: string; unchanged?: string } = {}
  const written = await accounts.change(account, (fresh) => {
    delete said.refused
    delete said.unchanged
    const outcome = act(fresh)
    if ('account' in outcome) return outcome
    Object.assign(said, outcome)
    return { problem: 'account_changed' }
  })
  const name = visible(account.username)
  if (said.refused !== undefined) {
    io.err(`${name} ${said.refused}.`)
    return { exit: 1 }
  }
  if (said.unchanged === undefined && isProblem(written)) {
    io.err(`${name} was deleted in the meantime.`)
    return { exit: 1 }
  }
  const now = isProblem(written) ? account : written
  await desk.publish(now)
  // Also when nothing was changed: an earlier run may have died before this.
  await store.logouts.put(endedJob(now.id, now.epoch, realChance.now()))
  if (!isProblem(written)) return { done: written }
  io.out(`${name} ${said.unchanged}: nothing was changed.`)
  return { exit: 0 }
}
