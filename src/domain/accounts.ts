// Reads and changes accounts: one conditional write each, retried on conflict; a host's directory shines through.
import { opaqueId } from './codes.ts'
import { type Problem, isProblem, Unavailable } from './problems.ts'
import type { AccountStore, Chance, Directory } from './ports.ts'
import type { Account, AuditEvent, Person } from './types.ts'

/** What a change decided: the next account and what happened, or why not. */
export type Changed = { account: Account; events: readonly AuditEvent[] } | Problem

export interface Accounts {
  find(id: string): Promise<Account | undefined>
  findByUsername(username: string): Promise<Account | undefined>
  /**
   * Applies a pure change. It may be called several times with newer accounts, so it must judge everything it relies on
   * from its argument. Resolves to the account as written, or to the problem that the change answered.
   */
  change(account: Account, apply: (account: Account) => Changed): Promise<Account | Problem>
}

/** Conflicts come from other processes only (callers in this one queue up), so a few rounds are plenty. */
const ROUNDS = 25
/** The account document stays small: events wait here only until they are drained. */
const OUTBOX = 64

export function accountsOver(options: {
  store: AccountStore
  directory?: Directory | undefined
  usernameKey: (username: string) => string
  chance: Chance
  /** Called after each commit that left events in the outbox. */
  committed: (account: Account) => void
  /** Events that reached the trail: the next write leaves them out. */
  delivered?: (event: AuditEvent) => boolean
}): Accounts {
  const { store, directory, usernameKey, chance, committed, delivered = () => false } = options
  const queue = new Map<string, Promise<unknown>>()

  /** The directory's word on who somebody is; ours on security info. The document is made at the first look. */
  async function overlay(person: Person): Promise<Account | undefined> {
    const who = {
      username: person.username,
      usernameKey: usernameKey(person.username),
      emailVerified: person.emailVerified ?? false,
      groups: [...(person.groups ?? [])],
      disabled: person.disabled ?? false,
    }
    const known = (await store.find(person.id)) ?? (await begin(person, who))
    const { name: _name, email: _email, ...stored } = await seen(known, who.disabled)
    return {
      ...stored,
      ...who,
      ...(person.name !== undefined && { name: person.name }),
      ...(person.email !== undefined && { email: person.email }),
    }
  }

  /** Somebody who was disabled and is enabled again has to sign in anew: the first look that sees it raises the epoch (SE-9). */
  async function seen(stored: Account, disabled: boolean): Promise<Account> {
    if (stored.disabled === disabled) return stored
    const kind = disabled ? 'account.disabled' : 'account.enabled'
    const event = { id: opaqueId(chance), kind, outcome: 'success', at: chance.now(), actor: 'directory' } as const
    const waiting = stored.outbox.filter((one) => !delivered(one))
    // A full outbox is no reason to leave somebody signed in.
    const outbox = waiting.length < OUTBOX ? [...waiting, { ...event, accountId: stored.id }] : waiting
    const epoch = stored.epoch + (disabled ? 1 : 0)
    const next = { ...stored, disabled, epoch, outbox, version: stored.version + 1 }
    if (!(await store.replace(next, stored.version))) return (await store.find(stored.id)) ?? stored
    committed(next)
    return next
  }

  async function begin(person: Person, who: Pick<Account, 'username' | 'groups' | 'emailVerified'>): Promise<Account> {
    // The directory owns names and may change them: ours is keyed by its id alone.
    const account = { ...newAccount(person.id, chance.now()), ...who, usernameKey: `directory:${person.id}` }
    if (await store.insert(account)) return account
    const other = await store.find(person.id)
    if (!other) throw new Unavailable('unavailable', 'an account could neither be added nor found')
    return other
  }

  async function find(id: string): Promise<Account | undefined> {
    if (!directory) return store.find(id)
    const person = await directory.find(id)
    return person && overlay(person)
  }

  async function findByUsername(username: string): Promise<Account | undefined> {
    if (!directory) return store.findByUsernameKey(usernameKey(username))
    const person = await directory.findByUsername(username)
    return person && overlay(person)
  }

  async function commit(first: Account, apply: (account: Account) => Changed): Promise<Account | Problem> {
    let account: Account | undefined = first
    for (let round = 0; round < ROUNDS; round++) {
      if (!account) return { problem: 'account_changed' }
      const changed = apply(account)
      if (isProblem(changed)) return changed
      const outbox = [...changed.account.outbox.filter((event) => !delivered(event)), ...changed.events]
      if (outbox.length > OUTBOX) throw new Unavailable('busy', 'the outbox of an account is full')
      const next = { ...changed.account, outbox, version: account.version + 1 }
      const kept = directory ? { ...next, usernameKey: `directory:${next.id}` } : next
      if (await store.replace(kept, account.version)) {
        if (outbox.length > 0) committed(next)
        return next
      }
      account = await find(first.id)
    }
    throw new Unavailable('busy', 'an account is changed by too many at once')
  }

  async function change(account: Account, apply: (account: Account) => Changed): Promise<Account | Problem> {
    const before = queue.get(account.id)
    // Behind somebody else's change the copy at hand is stale: read anew rather than lose a round.
    const mine = before
      ? before.then(async () => {
          const fresh = await find(account.id)
          return fresh ? commit(fresh, apply) : ({ problem: 'account_changed' } as const)
        })
      : commit(account, apply)
    const settled = mine.then(
      () => undefined,
      () => undefined,
    )
    queue.set(account.id, settled)
    try {
      return await mine
    } finally {
      if (queue.get(account.id) === settled) queue.delete(account.id)
    }
  }

  return { find, findByUsername, change }
}

/** An account with nothing registered. */
export const newAccount = (id: string, now: number): Account => ({
  id,
  version: 1,
  username: '',
  usernameKey: '',
  emailVerified: false,
  groups: [],
  disabled: false,
  epoch: 1,
  credentials: [],
  grace: { skips: 0, coveredUntil: 0, snoozedUntil: 0 },
  browsers: [],
  outbox: [],
  addedAt: now,
})

/** A change of nothing but the account, for callers that only have to say what happened. */
export const changed = (account: Account, ...events: AuditEvent[]): Changed => ({ account, events })
