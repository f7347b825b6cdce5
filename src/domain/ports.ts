// What the product needs of a store, a directory, a mailer: implement these, then run `test/stores/contract.ts`.
import type { Admission, Budget } from './budget.ts'
import type { Account, AuditEvent, EventKind, FlowRecord, Person, Time } from './types.ts'

/** Accounts: one document each, changed only by replace-if-version. */
export interface AccountStore {
  find(id: string): Promise<Account | undefined>
  findByUsernameKey(key: string): Promise<Account | undefined>
  /** False when the id or the username key is taken. */
  insert(account: Account): Promise<boolean>
  /** Writes `account` where the stored version is `version`; false when it is another one or the account is gone. */
  replace(account: Account, version: number): Promise<boolean>
  /** Deletes where the stored version is `version`; false when it is another one or the account is gone. */
  remove(id: string, version: number): Promise<boolean>
  /** Ascending by id, after `after`. */
  page(after: string | undefined, limit: number): Promise<Account[]>
  /** Accounts whose outbox holds events: what a process that died left behind. */
  withOutbox(limit: number): Promise<Account[]>
}

/** Flow records, compare-and-set. Expiry is judged by the reader; a store may delete a day after `expiresAt`. */
export interface FlowStore {
  find(id: string): Promise<FlowRecord | undefined>
  /** Version 0 means: insert, false when there is one. Otherwise replace where the stored version is `version`. */
  save(flow: FlowRecord, version: number): Promise<boolean>
  remove(id: string): Promise<void>
}

/** Budgets of guesses and mails. `admit` is one conditional write; a refusal writes nothing. The rule is `admission()`. */
export interface BudgetStore {
  admit(key: string, budget: Budget, at: Time, hit: string): Promise<Admission>
  /** Takes one admitted hit back: it was right, or did not count. */
  refund(key: string, hit: string): Promise<void>
  /** A success: what is counted in a row starts anew, the windows stay; the hit itself is taken back. */
  settle(key: string, hit: string): Promise<void>
  clear(key: string): Promise<void>
}

/** Things decided once for all processes. */
export interface ClaimStore {
  /**
   * Keeps `value` under `id` unless one stands there; answers what stands. For ever, or until `expiresAt`: a store may
   * delete it a day after, and a swap leaves that as it is.
   */
  claim(id: string, value: string, expiresAt?: Time): Promise<string>
  find(id: string): Promise<string | undefined>
  /** Replaces `from` by `to`; true for exactly one caller. */
  swap(id: string, from: string, to: string): Promise<boolean>
}

export interface AuditFilter {
  accountId?: string
  kind?: EventKind
  from?: Time
  to?: Time
  /** The id of an event: only those after it in the answer's order. An unknown one is a RangeError. */
  after?: string
}

export interface AuditStore {
  /** Idempotent by event id. */
  append(events: readonly AuditEvent[]): Promise<void>
  /** Ascending by time, then id. */
  query(filter: AuditFilter, limit: number): Promise<AuditEvent[]>
}

/** A mail to be sent. `sealed` holds address and text: a code must not lie readable in the store. */
export interface MailJob {
  id: string
  sealed: string
  dueAt: Time
  /** Not sent after this: a code that expired is of no use. */
  expiresAt: Time
  attempts: number
}

/** The outgoing mail queue: put once by id, leased by one process at a time. */
export interface MailStore {
  /** Idempotent by id, also when the job was removed since: until it expires, and is sent no more, its id stays known. */
  put(job: MailJob): Promise<void>
  /** Leases the job that is due longest: moves its `dueAt` to `leaseUntil` and counts the attempt, for exactly one caller. */
  lease(now: Time, leaseUntil: Time): Promise<MailJob | undefined>
  /** Sent, or given up: what was sealed is gone, the id stays. */
  remove(id: string): Promise<void>
  /** Nothing for a job that was removed. */
  retry(id: string, dueAt: Time): Promise<void>
  /** Jobs that were not removed. */
  size(): Promise<number>
}

/**
 * Rows of the provider's own adapter. `id` is already a digest. `stamp` is the account's epoch when the row was made: an
 * existing stamp is never raised. Consuming is conditional: false for all callers but the first.
 */
export interface ProviderRows {
  upsert(model: string, id: string, row: ProviderRow, expiresAt: Time | undefined): Promise<void>
  find(model: string, id: string): Promise<ProviderRow | undefined>
  findBy(model: string, key: 'uid' | 'userCode', value: string): Promise<ProviderRow | undefined>
  consume(model: string, id: string, at: number): Promise<boolean>
  destroy(model: string, id: string): Promise<void>
  revokeByGrantId(grantId: string): Promise<void>
  /** Rows of one model that an account has under an older epoch, or under none: dead, and not yet tidied. */
  older(model: string, accountId: string, epoch: number): Promise<ProviderRow[]>
  /** For tidying up: rows of an account whose stamp is older than `epoch`. Returns how many went. */
  removeOlder(accountId: string, epoch: number): Promise<number>
}

export interface ProviderRow {
  payload: Record<string, unknown>
  accountId?: string
  grantId?: string
  /** Digests: a stolen dump must not hold a usable value. */
  uid?: string
  userCode?: string
  stamp?: number
  /** Answered by the store so that expiry is judged in code, not by a TTL monitor. */
  expiresAt?: Time
}

/** A database. Generic verbs only: it names no method and no flow. */
export interface Store {
  accounts: AccountStore
  flows: FlowStore
  budgets: BudgetStore
  claims: ClaimStore
  audit: AuditStore
  mails: MailStore
  /** What relying parties have yet to hear of sign-outs: queued, leased and tried again as mails are. */
  logouts: MailStore
  rows: ProviderRows
  /** Rejects when the store cannot serve now. */
  ping(): Promise<void>
  /** Deletes what is expired for more than a day (ASVS 14.2.7). */
  tidy(now: Time): Promise<void>
  close(): Promise<void>
}

/** A host's own users. Security info stays here, keyed by the directory's id. */
export interface Directory {
  findByUsername(username: string): Promise<Person | undefined>
  find(id: string): Promise<Person | undefined>
  /** Resolves to true only for the right password of an existing, enabled person. */
  verify(id: string, password: string): Promise<boolean>
  setPassword?(id: string, password: string): Promise<void>
  unlock?(id: string): Promise<void>
}

/** A mail as it leaves. */
export interface Mail {
  to: string
  subject: string
  text: string
  html: string
}

export interface Mailer {
  send(mail: Mail): Promise<void>
  /** False while the last attempt failed. */
  healthy(): boolean
  close(): Promise<void>
}

/** Time and chance are handed in, so that tests are exact. */
export interface Chance {
  now(): Time
  /** Cryptographically strong bytes. */
  random(bytes: number): Buffer
}

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
