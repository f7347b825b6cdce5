// Full and small examples of what a store keeps, and the tools of the contract: unique names, races, a seeded die.
import type { MailJob, ProviderRow, Store } from '../../../src/domain/ports.ts'
import type { Account, AuditEvent, FlowRecord } from '../../../src/domain/types.ts'

/** What the contract is run on: one store, a second connection to the same data, and the way to be rid of them. */
export interface Opened {
  store: Store
  again(): Promise<Store>
  close(): Promise<void>
}

/** Two connections to the same data. */
export interface Pair {
  one: Store
  two: Store
}

let count = 0
/** A name that nothing else in this run has. */
export const fresh = (what: string): string => `${what}-${process.pid}-${(count += 1)}`

/** The callers are spread over both connections and let go at once. */
export const race = <Result>(
  callers: number,
  { one, two }: Pair,
  call: (store: Store, caller: number) => Promise<Result>,
): Promise<Result[]> =>
  Promise.all(Array.from({ length: callers }, (_, caller) => call(caller % 2 ? two : one, caller)))

export const ROUNDS = Array.from({ length: 20 }, (_, round) => round)

/** A seeded generator (mulberry32), so that a failure can be repeated. */
export function die(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }
}

export const anEvent = (id: string, more: Partial<AuditEvent> = {}): AuditEvent => ({
  id,
  kind: 'sign-in.password',
  outcome: 'success',
  at: 1_700_000_000_000,
  ...more,
})

export const aFullEvent = (id: string): Required<AuditEvent> => ({
  id,
  kind: 'policy.changed',
  outcome: 'failure',
  at: 1_700_000_000_123,
  reason: 'wrong_code',
  accountId: 'account',
  actor: 'cli:root',
  address: '2001:db8::1',
  browser: 'browser',
  client: 'client',
  interaction: 'interaction',
  detail: { key: 'registration.required', old: false, new: true, nothing: null, empty: {}, list: [1, 'two', []] },
})

export const anAccount = (id: string, more: Partial<Account> = {}): Account => ({
  id,
  version: 1,
  username: id,
  usernameKey: id,
  emailVerified: false,
  groups: [],
  disabled: false,
  epoch: 1,
  credentials: [],
  grace: { skips: 0, coveredUntil: 0, snoozedUntil: 0 },
  browsers: [],
  outbox: [],
  addedAt: 1_700_000_000_000,
  ...more,
})

/** Every field, the optional ones too: what a store forgets is seen. */
export const aFullAccount = (id: string): Required<Account> => ({
  ...anAccount(id),
  name: 'Añá 王',
  email: 'a@example.org',
  emailVerified: true,
  groups: ['staff', 'admins'],
  password: { hash: 'k1$2b$12$…', changedAt: 1_700_000_000_001, mustChange: 'flagged' },
  credentials: [
    {
      id: 'c1',
      method: 'one',
      label: '',
      addedAt: 1,
      lastUsedAt: 2,
      disabled: true,
      data: { sealed: 'x', step: 3, empty: {} },
    },
    { id: 'c2', method: 'two', label: 'Phone', addedAt: 1, data: ['list', { deep: [{}] }] },
    { id: 'c3', method: 'two', label: 'Text', addedAt: 1, data: 'text' },
  ],
  grace: { skips: 2, coveredUntil: 3, snoozedUntil: 4 },
  spent: { tag: 'flow:3', at: 5 },
  activation: { until: 6 },
  frozen: { at: 7 },
  language: 'zh-TW',
  browsers: ['b1', 'b2'],
  outbox: [aFullEvent(`${id}-event`), anEvent(`${id}-event-2`)],
})

export const aFlow = (id: string, more: Partial<FlowRecord> = {}): FlowRecord => ({
  id,
  version: 1,
  journey: 'sign-in',
  turn: 0,
  evidence: [],
  startedAt: 1_700_000_000_000,
  expiresAt: 1_700_000_900_000,
  ...more,
})

export const aFullFlow = (id: string): Required<FlowRecord> => ({
  ...aFlow(id),
  accountId: 'account',
  named: 'digest of a name',
  goal: 'unlock',
  epoch: 7,
  turn: 3,
  evidence: [
    { kind: 'proof', method: 'one', credential: 'c', destination: 'd', amr: ['otp', 'mfa'], turn: 1, at: 5 },
    { kind: 'skipped', method: 'two', amr: [], turn: 2, at: 6 },
  ],
  step: { requirement: 'proof', method: 'one', credential: 'c', sealed: 's', choosing: false },
})

export const aMail = (id: string, more: Partial<MailJob> = {}): MailJob => ({
  id,
  sealed: 'sealed',
  dueAt: 1000,
  expiresAt: 10_000_000,
  attempts: 0,
  ...more,
})

export const aRow = (more: Partial<ProviderRow> = {}): ProviderRow => ({ payload: { kind: 'Row' }, ...more })
