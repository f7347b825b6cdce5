// Notices: what happened to an account, told to all of its addresses, each with a link for "this was not me".
import { createHash } from 'node:crypto'
import { type Accounts, changed } from './domain/accounts.ts'
import { isAdmin, type Policy } from './domain/policy.ts'
import { isProblem } from './domain/problems.ts'
import type { Chance, ClaimStore, Store } from './domain/ports.ts'
import type { Account, AuditEvent, EventKind, Time } from './domain/types.ts'
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
  'recovery-code.spent',
])

/** What a link of a notice leads to. */
export interface Denial {
  accountId: string
  at: Time
  what: string
  until: Time
}

/** The links of notices: opened any number of times, used once. */
export interface NotMe {
  find(token: string): Promise<Denial | undefined>
  /** Signs out everywhere and closes changes. False when the link was used or is over. */
  deny(token: string): Promise<boolean>
}

export interface Notices {
  /** Queues what an event asks for. Idempotent by event id: a crash repeats it without a second mail. */
  tell(account: Account, event: AuditEvent): Promise<void>
  notMe: NotMe
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

  async function linkFor(account: Account, event: AuditEvent, address: string): Promise<string> {
    const token = tokenOf(event, address)
    const denial: Denial = { accountId: account.id, at: event.at, what: event.kind, until: event.at + LINK_LIFE }
    await claims.claim(claimOf(token), JSON.stringify(denial))
    return `${issuer.replace(/\/$/, '')}/self-service/not-me/${token}`
  }

  async function letter(account: Account, event: AuditEvent, address: string): Promise<void> {
    const notMe = await linkFor(account, event, address)
    const where = [event.address, event.browser].filter(Boolean).join(', ')
    const values = { what: event.kind, when: event.at, where, notMe, ...helpdesk() }
    const id = `notice-${createHash('sha256').update(`${event.id}:${address}`).digest('base64url').slice(0, 32)}`
    await post(
      { to: address, template: 'notice', values, expiresAt: event.at + NOTICE_LIFE },
      languageOf(account, event),
      id,
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
        await post({ to, template: 'notice', values, expiresAt: event.at + NOTICE_LIFE }, other.language ?? 'en', id)
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

  return {
    async tell(account, event) {
      if (event.outcome !== 'success' || !told.has(event.kind)) return
      if (policy().notify.user)
        await Promise.all(addressesOf(account).map((address) => letter(account, event, address)))
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
        const won = await claims.swap(claimOf(token), JSON.stringify(denial), USED)
        if (!won || !account) return won
        const at = chance.now()
        const id = chance.random(16).toString('base64url')
        const event: AuditEvent = {
          id,
          kind: 'account.frozen',
          outcome: 'success',
          at,
          accountId: account.id,
          reason: denial.what,
        }
        const written = await accounts.change(account, (fresh) =>
          changed({ ...fresh, epoch: fresh.epoch + 1, browsers: [], frozen: { at: denial.at } }, event),
        )
        if (!isProblem(written)) await store.rows.removeOlder(account.id, written.epoch)
        return true
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
