// `users update`: name, address, groups and username. Never a password, never anything that was registered.
import { parseArgs } from 'node:util'
import { update, type Wishes } from '../admin/update.ts'
import { type Io, needed, only, UsageError } from './command.ts'
import { atDesk, named, perform } from './desk.ts'
import { addressOf, groupsOf, nameOf, Refused, usernameOf } from './fields.ts'
import { visible } from './visible.ts'

interface Given {
  username?: string
  name?: string
  email?: string
  verified?: boolean
  group?: string[]
  'no-group'?: string[]
}

/** An empty name or address takes it away. */
const wishesOf = (given: Given): Wishes => ({
  ...(given.username !== undefined && { username: usernameOf(given as Record<string, unknown>) }),
  ...(given.name !== undefined && { name: nameOf({ name: given.name }) ?? null }),
  ...(given.email !== undefined && { email: addressOf({ email: given.email }) ?? null }),
  verified: given.verified ?? false,
  join: groupsOf({ groups: given.group }),
  leave: groupsOf({ groups: given['no-group'] }),
})

function checked(given: Given): Wishes | string {
  try {
    return wishesOf(given)
  } catch (error) {
    if (error instanceof Refused) return error.message
    throw error
  }
}

export async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      username: { type: 'string' },
      name: { type: 'string' },
      email: { type: 'string' },
      verified: { type: 'boolean' },
      group: { type: 'string', multiple: true },
      'no-group': { type: 'string', multiple: true },
    },
  })
  const { config, ...given } = values
  const username = only(positionals, 'The username')
  const file = needed(config, 'config')
  if (Object.keys(given).length === 0) throw new UsageError('There is nothing to change.')
  const wishes = checked(given)
  if (typeof wishes === 'string') {
    io.err(`Not changed: ${wishes}.`)
    return 1
  }
  return atDesk(file, io, async (desk) => {
    const account = await named(desk, username)
    if (!account) return 1
    const { username: wanted } = wishes
    const holder = wanted && (await desk.store.accounts.findByUsernameKey(wanted.key))
    if (wanted && holder && holder.id !== account.id) {
      io.err(`Not changed: there is already an account "${visible(wanted.shown)}".`)
      return 1
    }
    const performed = await perform(desk, account, update(desk.acting(), wishes))
    if ('exit' in performed) return performed.exit
    io.out(`${visible(performed.done.username)} (${account.id}) is changed.`)
    return 0
  })
}
