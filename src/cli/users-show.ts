// `users show`: everything an administrator may see of an account. Never a hash, a seed, a code or where a key lies.
import { parseArgs } from 'node:util'
import { loadConfig } from '../config/load.ts'
import { usernameKey } from '../domain/codes.ts'
import { canReset, isAdmin, isRegistered, missing, type Policy } from '../domain/policy.ts'
import type { Account } from '../domain/types.ts'
import { createMethods } from '../methods/index.ts'
import type { Method } from '../methods/method.ts'
import { realChance } from '../server/chance.ts'
import { openStore } from '../stores/open.ts'
import { type Io, needed, only } from './command.ts'
import { jsonLine, time, visible } from './visible.ts'

/** Field by field: what a credential or a password gains later is not shown by accident. */
export const shown = (account: Account, policy: Policy, methods: readonly Method[], now: number) => ({
  id: account.id,
  username: account.username,
  name: account.name ?? null,
  email: account.email ?? null,
  emailVerified: account.emailVerified,
  groups: account.groups,
  administrator: isAdmin(policy, account),
  disabled: account.disabled,
  addedAt: time(account.addedAt),
  language: account.language ?? null,
  password: account.password
    ? { changedAt: time(account.password.changedAt), mustChange: account.password.mustChange ?? null }
    : null,
  registered: isRegistered(methods, policy, account),
  missing: missing(methods, policy, account).map((item) => item.methods),
  reset: canReset(methods, policy, account, now),
  activationUntil: account.activation ? time(account.activation.until) : null,
  frozenSince: account.frozen ? time(account.frozen.at) : null,
  skips: account.grace.skips,
  knownBrowsers: account.browsers.length,
  epoch: account.epoch,
  methods: account.credentials.map((credential) => ({
    id: credential.id,
    method: credential.method,
    label: methods.find(({ id }) => id === credential.method)?.describe(credential) ?? credential.label,
    addedAt: time(credential.addedAt),
    lastUsedAt: credential.lastUsedAt === undefined ? null : time(credential.lastUsedAt),
    disabled: credential.disabled ?? false,
  })),
})

type Shown = ReturnType<typeof shown>

const yes = (value: boolean): string => (value ? 'yes' : 'no')

function lines(one: Shown): string[] {
  const { password } = one
  const must = password?.mustChange ? `, must be changed (${password.mustChange})` : ''
  const facts: [string, string | null][] = [
    ['username', one.username],
    ['id', one.id],
    ['name', one.name],
    ['email', one.email && `${one.email}${one.emailVerified ? '' : ' (not verified)'}`],
    ['groups', one.groups.join('; ')],
    ['administrator', yes(one.administrator)],
    ['state', one.disabled ? 'disabled' : 'enabled'],
    ['added', one.addedAt],
    ['language', one.language],
    ['password', password ? `set ${password.changedAt}${must}` : 'none'],
    ['registered', one.registered ? 'yes' : `no, missing ${one.missing.map((any) => any.join(' or ')).join(', ')}`],
    ['reset', one.reset],
    ['activation', one.activationUntil && `until ${one.activationUntil}`],
    ['frozen', one.frozenSince && `since ${one.frozenSince}`],
    ['skips', String(one.skips)],
    ['known browsers', String(one.knownBrowsers)],
    ['epoch', String(one.epoch)],
  ]
  const methods = one.methods.map(
    ({ method, label, addedAt, lastUsedAt, disabled }) =>
      `  ${[method, label || '-', `added ${addedAt}`, lastUsedAt ? `used ${lastUsedAt}` : 'never used'].map(visible).join('\t')}${disabled ? '\tdisabled' : ''}`,
  )
  return [
    ...facts.map(([name, value]) => `${name.padEnd(16)}${visible(value || '-')}`),
    methods.length > 0 ? 'methods' : 'methods         -',
    ...methods,
  ]
}

export async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { config: { type: 'string' }, json: { type: 'boolean', default: false } },
  })
  const username = only(positionals, 'The username')
  const methods = createMethods()
  const { policy, store: address } = await loadConfig(needed(values.config, 'config'), { env: io.env, methods })
  const store = await openStore(address)
  try {
    const account = await store.accounts.findByUsernameKey(usernameKey(username))
    if (!account) {
      io.err(`There is no account "${visible(username)}".`)
      return 1
    }
    const one = shown(account, policy, methods, realChance.now())
    io.out(values.json ? jsonLine(one) : lines(one).join('\n'))
    return 0
  } finally {
    await store.close()
  }
}
