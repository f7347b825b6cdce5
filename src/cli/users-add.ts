// `users add`: one account. Its user sets the password; the administrator vouches for the address.
import { parseArgs } from 'node:util'
import { loadConfig } from '../config/load.ts'
import { createMethods } from '../methods/index.ts'
import { realChance } from '../server/chance.ts'
import { openStore } from '../stores/open.ts'
import { actor } from './actor.ts'
import { type Io, needed } from './command.ts'
import { accountOf } from './new-account.ts'

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
  const methods = createMethods()
  const config = await loadConfig(file, { env: io.env, methods })
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
  const store = await openStore(config.store)
  try {
    if (!(await store.accounts.insert(account))) {
      io.err(`Not added: there is already an account ${JSON.stringify(account.username)}.`)
      return 1
    }
  } finally {
    await store.close()
  }
  io.out(`Added ${account.username} (${account.id}).`)
  return 0
}
