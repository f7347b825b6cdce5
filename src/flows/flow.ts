// The contract of a flow: a list of requirements; the first one that is not met shows its page. Values in, values out.
import type { Accounts } from '../domain/accounts.ts'
import type { Policy } from '../domain/policy.ts'
import type { AuditStore, BudgetStore, Chance, Directory, FlowStore, Mail } from '../domain/ports.ts'
import type { Problem, ProblemCode } from '../domain/problems.ts'
import type { Vault } from '../domain/seal.ts'
import type { Account, AuditEvent, EventKind, Evidence, FlowRecord, Form, Step, Time } from '../domain/types.ts'
import type { Letter, Method } from '../methods/method.ts'
import type { Page } from './pages.ts'

/**
 * `mfa`: the relying party takes no less (`acr_values`, essential `acr`, its policy), so who has no second factor registers one.
 * `registration`: it asks for registration, whether or not policy does.
 */
export type Demand = 'mfa' | 'registration'

/** Who asks, from where, for whom: what the provider's interaction and the request tell. */
export interface Visit {
  /** The provider's `cid`: survives the chain of prompts of one authorization request. */
  interaction: string
  /** The flow's record as it stands in the store, read beside the interaction: `stored` of it. */
  flow: Promise<FlowRecord | undefined>
  journey: string
  client: { id: string; name: string }
  /** The session the request came with, when somebody is signed in. */
  session?: { accountId: string; amr: readonly string[]; loginAt: number | undefined }
  loginHint?: string
  /** What the request demands beyond policy. */
  demands: readonly Demand[]
  language: string
  /** The source address, as far as it can be trusted. */
  address: string
  userAgent: string
  /** The browser's id for an account, when its cookie is genuine. */
  knownBrowser(account: Account): string | undefined
  /** Work that nothing in the flow waits for; it ends before the response, and its failure is the request's. */
  beside(work: Promise<unknown>): void
}

/** Everything a requirement may judge by. */
export interface Facts {
  visit: Visit
  record: FlowRecord
  account: Account | undefined
  policy: Policy
  /** Strongest first. */
  methods: readonly Method[]
  now: Time
}

/** What a requirement made of a form. */
export type Answer =
  /** Met: the evidence is recorded, and the account as it is now; `note` is what else the record remembers. */
  | { met: Evidence; account: Account | undefined; note?: Pick<FlowRecord, 'named' | 'goal'> }
  | Begun
  | Problem
  /** The flow begins anew, saying why. */
  | { restart: ProblemCode }

/** The step as it is now, perhaps with a problem to show. `send` runs after the step is safely stored. */
export type Begun = { step: Step; problem?: Problem; send?: () => Promise<void> } | { over: ProblemCode }

export type Ends = (facts: Facts) => boolean

export interface Requirement {
  name: string
  met(facts: Facts): boolean
  /** The page for the step as it stands. No effects: it answers GETs. */
  page(facts: Facts, tools: Tools): Page | { over: ProblemCode }
  /** Called once when a post arrives at this requirement: sends the first mail, makes the secret. */
  begin?(facts: Facts, tools: Tools): Promise<Begun | { met: Evidence; account: Account | undefined }>
  /** `ends`: whether such facts leave nothing to do, so that what is written for this form can end the flow as well. */
  answer(facts: Facts, form: Form, tools: Tools, ends: Ends): Promise<Answer>
}

export interface Journey {
  /** The provider's prompt that it answers. */
  prompt: string
  /** Ends with somebody signed in. A reset never does (RS-8). */
  signsIn: boolean
  /** The account is the session's; otherwise the flow finds out whose it is. */
  ofSession: boolean
  requirements: readonly Requirement[]
}

/** Judges a password that somebody chooses. The problem names the rule. */
export interface PasswordScreen {
  judge(
    password: string,
    about: { least: 8 | 15; username: string; name?: string; email?: string },
  ): Promise<ProblemCode | undefined>
  /** On the shipped list: to be changed at the next sign-in. */
  compromised(password: string): boolean
}

export interface PasswordCheck {
  /** A failure costs the work of one hash at the configured cost, whatever was stored. */
  verify(password: string, stored: string | undefined): Promise<{ ok: boolean; renew: boolean }>
  hash(password: string): Promise<string>
  dummy(password: string): Promise<void>
}

/** What flows work with. Built once by `plugin.ts`. */
export interface Tools {
  service: { name: string; issuer: string }
  accounts: Accounts
  directory: Directory | undefined
  methods: readonly Method[]
  flows: FlowStore
  budgets: BudgetStore
  audit: AuditStore
  passwords: PasswordCheck
  screen: PasswordScreen
  /** Bound to one account. */
  vault(accountId: string): Vault
  /** Keyed digest of what belongs to no account yet. */
  digest(text: string, context: string): string
  usernameKey(username: string): string
  /** Renders and queues a letter. */
  post(letter: Letter, language: string, id: string): Promise<void>
  mailHealthy(): boolean
  /** A host's own trust gate (`registration.trustGate: predicate`). */
  trustGate: ((account: Account, visit: Visit) => Promise<boolean>) | undefined
  chance: Chance
}

export type { Mail }

/** An audit event of this visit; who, where and when are filled in from the facts. */
export function event(
  facts: Pick<Facts, 'visit' | 'now'>,
  tools: Pick<Tools, 'chance'>,
  kind: EventKind,
  more: Partial<AuditEvent> = {},
): AuditEvent {
  return {
    id: tools.chance.random(16).toString('base64url'),
    kind,
    outcome: 'success',
    at: facts.now,
    address: facts.visit.address,
    browser: facts.visit.userAgent.slice(0, 200),
    client: facts.visit.client.id,
    interaction: facts.visit.interaction.slice(0, 8),
    ...more,
  }
}

/** The session of the very account that the flow is about; another account's proves nothing here. */
export const ownSession = ({ visit, account }: Facts): Visit['session'] =>
  account && visit.session?.accountId === account.id ? visit.session : undefined

export const evidenceOf = (record: FlowRecord, kind: Evidence['kind']): Evidence | undefined =>
  record.evidence.findLast((evidence) => evidence.kind === kind)

/** Gone, disabled, or of another epoch than the one under which the first proof was judged. */
export const changedUnder = (record: FlowRecord, account: Account | undefined): boolean =>
  !account || account.disabled || (record.epoch ?? account.epoch) !== account.epoch
