// `users disable|enable|unlock|require-change|require-registration|revoke-sessions`: one account, one act, one event.
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import type { Act } from '../admin/act.ts'
import { requireRegistration } from '../admin/registration.ts'
import { disable, enable, requireChange, revokeSessions, unlock, waitsOf } from '../admin/standing.ts'
import type { Account } from '../domain/types.ts'
import { type Command, type Io, needed, only } from './command.ts'
import { atDesk, type Desk, named, perform } from './desk.ts'
import { time, visible } from './visible.ts'

interface Given {
  thaw: boolean
  yes: boolean
}

interface Deed {
  options?: readonly (keyof Given)[]
  /** Why it is not done yet. */
  hold?(account: Account, given: Given): string | undefined
  act(desk: Desk, given: Given): Act
  /** The end of the sentence that begins with the account's name. */
  done(account: Account, given: Given, before: Account): string
  afterwards?(desk: Desk, account: Account): Promise<void>
}

const command = ({ options = [], hold, act, done, afterwards }: Deed): Command => ({
  async run(args: string[], io: Io): Promise<number> {
    const flags: ParseArgsOptionsConfig = Object.fromEntries(options.map((name) => [name, { type: 'boolean' }]))
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { ...flags, config: { type: 'string' } },
    })
    const said = new Map<string, unknown>(Object.entries(values))
    const given: Given = { thaw: said.get('thaw') === true, yes: said.get('yes') === true }
    const username = only(positionals, 'The username')
    return atDesk(needed(values.config, 'config'), io, async (desk) => {
      const account = await named(desk, username)
      if (!account) return 1
      const why = hold?.(account, given)
      if (why !== undefined) {
        io.err(why)
        return 1
      }
      const performed = await perform(desk, account, act(desk, given))
      if ('exit' in performed) return performed.exit
      await afterwards?.(desk, performed.done)
      io.out(`${visible(account.username)} ${done(performed.done, given, account)}.`)
      return 0
    })
  },
})

export const disabling = command({
  act: (desk) => disable(desk.acting()),
  done: () => 'is disabled, and signed out everywhere',
})

export const enabling = command({ act: (desk) => enable(desk.acting()), done: () => 'is enabled' })

export const revoking = command({
  act: (desk) => revokeSessions(desk.acting()),
  done: () => 'is signed out everywhere',
})

export const flagging = command({
  act: (desk) => requireChange(desk.acting()),
  done: () => 'is signed out everywhere, and must change the password at the next sign-in',
})

export const unlocking = command({
  options: ['thaw'],
  act: (desk, given) => unlock(desk.acting(), given),
  // The event first: waits that ended without one would be worse than an event whose waits end at the second try.
  async afterwards({ store }, account) {
    await Promise.all(waitsOf(account).map((key) => store.budgets.clear(key)))
  },
  done: ({ frozen }, given, before) => {
    if (frozen) return `is unlocked. Changes stay frozen since ${time(frozen.at)} ("this was not me"): --thaw ends that`
    return given.thaw && before.frozen ? 'is unlocked, and changes are possible again' : 'is unlocked'
  },
})

export const registering = command({
  options: ['yes'],
  hold: ({ username, credentials }, { yes }) =>
    yes || credentials.length === 0
      ? undefined
      : `This removes everything that ${visible(username)} registered (${credentials.length}); whoever has the password and what the trust gate asks registers anew. Add --yes to do it.`,
  act: (desk) => requireRegistration(desk.acting(), { policy: desk.config.policy, traits: desk.methods }),
  done: () => 'is signed out everywhere, and registers anew at the next sign-in',
})
