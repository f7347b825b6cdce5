// `users list`: a page of accounts, as a table or as JSON lines. Never a hash or a secret.
import { parseArgs } from 'node:util'
import { loadConfig } from '../config/load.ts'
import type { Account } from '../domain/types.ts'
import { createMethods } from '../methods/index.ts'
import { openStore } from '../stores/open.ts'
import { type Io, needed, UsageError } from './command.ts'
import { jsonLine, visible } from './visible.ts'

const shown = (account: Account) => ({
  id: account.id,
  username: account.username,
  name: account.name ?? null,
  email: account.email ?? null,
  emailVerified: account.emailVerified,
  groups: account.groups,
  methods: [...new Set(account.credentials.map((credential) => credential.method))],
  disabled: account.disabled,
  addedAt: new Date(account.addedAt).toISOString(),
})

const row = (account: Account): string =>
  [
    account.id,
    account.username,
    account.email ?? '-',
    account.groups.join(';') || '-',
    shown(account).methods.join(';') || '-',
    account.disabled ? 'disabled' : 'enabled',
  ]
    .map(visible)
    .join('\t')

export async function run(args: string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      config: { type: 'string' },
      after: { type: 'string' },
      limit: { type: 'string', default: '100' },
      json: { type: 'boolean', default: false },
    },
  })
  const file = needed(values.config, 'config')
  const limit = Number(values.limit)
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new UsageError('--limit must be a whole number from 1 to 1000.')
  }
  const config = await loadConfig(file, { env: io.env, methods: createMethods() })
  const store = await openStore(config.store)
  try {
    const accounts = await store.accounts.page(values.after, limit + 1)
    const page = accounts.slice(0, limit)
    if (!values.json) io.out(['id', 'username', 'email', 'groups', 'methods', 'state'].join('\t'))
    for (const account of page) io.out(values.json ? jsonLine(shown(account)) : row(account))
    if (accounts.length > limit) io.err(`There are more: --after=${page.at(-1)?.id}`)
  } finally {
    await store.close()
  }
  return 0
}
