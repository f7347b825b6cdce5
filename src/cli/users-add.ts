// `users add`: one account. Its user sets the password; the administrator vouches for the address.
import { parseArgs } from 'node:util'
import { realChance } from '../server/chance.ts'
import { actor } from './actor.ts'
import { type Io, needed } from './command.ts'
import { atDesk } from './desk.ts'
import { accountOf } from './new-account.ts'
import { visible } from './visible.ts'

export async function run(args: string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      config: { type: 'string' },
      username: { type: 'string' },
      email: { type: 'string' },
      name: { type: 'string' },
      group: { type: 'string', multiple: true, default: [] },
    },
  })
  const file = needed(values.config, 'config')
  const row = {
    username: needed(values.username, 'username'),
    email: needed(values.email, 'email'),
    emailVerified: true,
    groups: values.group,
    ...(values.name !== undefined && { name: values.name }),
  }
  return atDesk(file, io, async ({ config, store, publish }) => {
    const account = accountOf(row, {
      methods: [],
      cost: config.password.cost,
      actor: actor(io),
      chance: realChance,
      vaultFor: () => {
        throw new Error('a new account has nothing to seal')
      },
    })
    if (typeof account === 'string') {
      io.err(`Not added: ${account}.`)
      return 1
    }
    if (!(await store.accounts.insert(account))) {
      io.err(`Not added: there is already an account "${visible(account.username)}".`)
      return 1
    }
    await publish(account)
    io.out(`Added ${visible(account.username)} (${account.id}).`)
    return 0
  })
}
