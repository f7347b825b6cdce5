// `users delete`: the account goes, its name is free, its id is never given out again, its events stay.
import { parseArgs } from 'node:util'
import { erase, isDeleted } from '../admin/delete.ts'
import { waitsOf } from '../admin/standing.ts'
import { Unavailable } from '../domain/problems.ts'
import type { Account } from '../domain/types.ts'
import { endedJob } from '../oidc/logout-jobs.ts'
import { realChance } from '../server/chance.ts'
import { type Io, needed, only } from './command.ts'
import { atDesk, type Desk, named, perform } from './desk.ts'
import { visible } from './visible.ts'

export async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { config: { type: 'string' }, yes: { type: 'boolean', default: false } },
  })
  const given = only(positionals, 'The username')
  return atDesk(needed(values.config, 'config'), io, async (desk) => {
    const account = (await unfinished(desk, given)) ?? (await named(desk, given))
    if (!account) return 1
    const name = visible(account.username || given)
    if (!values.yes) {
      io.err(`This deletes ${name} (${account.id}) with everything registered. Add --yes to do it.`)
      return 1
    }
    if (!isDeleted(account)) {
      const performed = await perform(desk, account, erase(desk.acting()))
      if ('exit' in performed) return performed.exit
    }
    await drop(desk, account)
    io.out(`${name} (${account.id}) is deleted. What it did stays in the audit trail under that id.`)
    return 0
  })
}

/** A run that died half way left an account without a name: the id finds it. */
async function unfinished({ store }: Desk, id: string): Promise<Account | undefined> {
  const found = await store.accounts.find(id)
  return found && isDeleted(found) ? found : undefined
}

/** A server that drains the outbox at the same time wins a round or two. */
const ROUNDS = 25

/** Removes what is left: the document last, and only where all of its events are in the trail. */
async function drop({ store }: Desk, before: Account): Promise<void> {
  await Promise.all(waitsOf(before).map((key) => store.budgets.clear(key)))
  for (let round = 0; round < ROUNDS; round++) {
    const left = await store.accounts.find(before.id)
    if (!left) return
    await store.audit.append(left.outbox)
    // A server tells relying parties and tidies the rows; after this it cannot ask the account what ended.
    await store.logouts.put(endedJob(left.id, left.epoch, realChance.now()))
    if (await store.accounts.remove(left.id, left.version)) return
  }
  throw new Unavailable('busy', `what is left of the account is being changed by others: run it again for ${before.id}`)
}
