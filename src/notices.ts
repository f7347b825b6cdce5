// Notices: what happened to an account, told to all of its addresses, each with a link for "this was not me".
import { createHash } from 'node:crypto'
import { type Accounts, changed } from './domain/accounts.ts'
import { isAdmin, type Policy } from './domain/policy.ts'
import type { Chance, ClaimStore, Denial, NotMe, Store } from './domain/ports.ts'
import type { Account, AuditEvent, EventKind } from './domain/types.ts'
import type { Letter } from './methods/method.ts'

const DAY = 24 * 60 * 60_000
/** A notice is worth sending for two days; its link works for seven. */
const NOTICE_LIFE = 2 * DAY
const LINK_LIFE = 7 * DAY

/** What the owner is told of. Asking, guessing and signing in are no changes. */
const told: ReadonlySet<EventKind> = new Set<EventKind>([
  'password.reset',
  'password.changed',
  'password.activated',
  'account.unlocked',
  'account.frozen',
  'account.updated',
  'credential.disabled',
  'sign-in.locked',
  'recovery-code.spent',
])

export interface Notices {
  /** Queues what an event asks for. Idempotent by event id: a crash repeats it without a second mail. */
  tell(account: Account, event: AuditEvent): Promise<void>
  notMe: NotMe
}

/** The same mail for the same event and address, whoever queues it. */
const idOf = (event: AuditEvent, address: string): string =>
  `notice-${createHash('sha256').update(`${event.id}:${address}`).digest('base64url').slice(0, 32)}`

/** The proven address that an administrator replaced. */
function formerAddress({ kind, detail }: AuditEvent): string | undefined {
  if (kind !== 'account.updated') return undefined
  const changes = (detail?.['changes'] ?? []) as { field: string; from: unknown }[]
  const verified = changes.find(({ field }) => field === 'emailVerified')
  const from = changes.find(({ field }) => field === 'email')?.from
  return typeof from === 'string' && verified?.from !== false ? from : undefined
}

const claimOf = (token: string): string => `not-me:${createHash('sha256').update(token).digest('base64url')}`
const USED = 'used'

export function createNotices(options: {
  store: Store
  accounts: Accounts
  policy(): Policy
  issuer: string
  chance: Chance
  /** A keyed digest: the same link for the same event and address, and for nobody without the key. */
  sign(text: string): string
  post(letter: Letter, language: string, id: string): Promise<void>
}): Notices {
  const { store, accounts, policy, issuer, chance, sign, post } = options
  const claims: ClaimStore = store.claims

  const tokenOf = (event: AuditEvent, address: string): string => sign(`${event.id}:${address}`).replace(/^.*\./, '')

  async function letter(account: Account, event: AuditEvent, address: string): Promise<void> {
    const token = tokenOf(event, address)
    const notMe = `${issuer.replace(/\/$/, '')}/self-service/not-me/${token}`
    const denial: Denial = { accountId: account.id, at: event.at, what: event.kind, until: event.at + LINK_LIFE }
    const where = [event.address, event.browser].filter(Boolean).join(', ')
    const { method, label } = (event.detail ?? {}) as { method?: string; label?: string }
    const item = method === undefined ? {} : { item: `${method}\t${label ?? ''}` }
    // Only an address that was proven before the change may deny it; wrong passwords of a stranger changed nothing.
    const deniable = event.kind !== 'sign-in.locked' && [undefined, address].includes(formerAddress(event))
    const link = deniable ? { notMe } : {}
    const values = { what: event.kind, when: event.at, where, ...item, ...link, ...helpdesk() }
    // First the link, then the mail that holds it. Both once, however often a crash repeats them: the claim keeps what
    // stands, and the queue knows what it had until a mail of that event is sent no more.
    if (deniable) await claims.claim(claimOf(token), JSON.stringify(denial), denial.until)
    await post(
      { to: address, template: 'notice', values, expiresAt: event.at + NOTICE_LIFE },
      languageOf(account, event),
      idOf(event, address),
    )
  }

  /** What was registered, when all of it is. */
  async function summary(account: Account, event: AuditEvent): Promise<void> {
    const list = event.detail?.['list']
    const values = { list: typeof list === 'string' ? list : '', when: event.at, ...helpdesk() }
    const language = languageOf(account, event)
    await Promise.all(
      addressesOf(account).map((to) => {
        const id = idOf(event, to)
        const letter = { to, template: 'registered', values, expiresAt: event.at + NOTICE_LIFE }
        return post(letter, language, id)
      }),
    )
  }

  const helpdesk = (): { helpdesk?: string } => {
    const contact = policy().helpdesk
    return contact === undefined ? {} : { helpdesk: contact }
  }

  /** Other administrators hear of a reset of one of theirs. Rare, and in the background: a walk over the accounts will do. */
  async function colleagues(account: Account, event: AuditEvent): Promise<void> {
    let after: string | undefined
    for (;;) {
      const page = await store.accounts.page(after, 500)
      for (const other of page) {
        if (other.id === account.id || other.disabled || !isAdmin(policy(), other)) continue
        const to = addressesOf(other)[0]
        if (to === undefined) continue
        const values = { what: 'admin.reset', who: account.username, when: event.at, where: '', ...helpdesk() }
        const id = `notice-${createHash('sha256').update(`${event.id}:admin:${other.id}`).digest('base64url').slice(0, 32)}`
        const letter = { to, template: 'notice', values, expiresAt: event.at + NOTICE_LIFE }
        await post(letter, other.language ?? 'en', id)
      }
      after = page.at(-1)?.id
      if (page.length < 500 || after === undefined) return
    }
  }

  async function find(token: string): Promise<Denial | undefined> {
    if (!/^[\w-]{20,100}$/.test(token)) return undefined
    const standing = await claims.find(claimOf(token))
    if (standing === undefined || standing === USED) return undefined
    const denial = JSON.parse(standing) as Denial
    return chance.now() < denial.until ? denial : undefined
  }

  async function freeze(account: Account, { at, what }: Denial, id: string): Promise<void> {
    const event: AuditEvent = {
      id,
      kind: 'account.frozen',
      outcome: 'success',
      at: chance.now(),
      accountId: account.id,
      reason: what,
    }
    await accounts.change(account, (fresh) =>
      fresh.outbox.some((one) => one.id === id)
        ? { problem: 'account_changed' }
        : // The oldest denial counts: what came between two of them is no older proof.
          changed(
            { ...fresh, epoch: fresh.epoch + 1, browsers: [], frozen: { at: Math.min(at, fresh.frozen?.at ?? at) } },
            event,
          ),
    )
  }

  return {
    async tell(account, event) {
      if (event.outcome !== 'success') return
      const { detail = {} } = event
      const asked = told.has(event.kind) || (event.kind === 'registration.item' && detail['tell'] === true)
      if (policy().notify.user && event.kind === 'registration.completed') await summary(account, event)
      if (policy().notify.user && asked) {
        await Promise.all(addressesOf(account).map((address) => letter(account, event, address)))
        // The address that was there before hears of its removal, and may deny it; the new one may not.
        const before = formerAddress(event)
        if (before !== undefined) await letter(account, event, before)
      }
      if (event.kind === 'password.reset' && policy().notify.admins && isAdmin(policy(), account)) {
        await colleagues(account, event)
      }
    },
    notMe: {
      find,
      async deny(token) {
        const denial = await find(token)
        if (!denial) return false
        const account = await accounts.find(denial.accountId)
        // First what it does, then the link: a crash between leaves a link that works, never a used one without effect.
        if (account) await freeze(account, denial, claimOf(token))
        return claims.swap(claimOf(token), JSON.stringify(denial), USED)
      },
    },
  }
}

/** All of the user's addresses: the one on file, when it is proven, and those that were registered. */
export function addressesOf(account: Account): string[] {
  const registered = account.credentials.flatMap(({ data }) => {
    const address = (data as { address?: unknown } | null)?.address
    return typeof address === 'string' && address !== '' ? [address] : []
  })
  const onFile = account.email !== undefined && account.emailVerified ? [account.email] : []
  return [...new Set([...onFile, ...registered])]
}

const languageOf = (account: Account, event: AuditEvent): string => {
  const told = event.detail?.['language']
  return account.language ?? (typeof told === 'string' ? told : 'en')
}
