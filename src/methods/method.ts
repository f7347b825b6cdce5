// The contract of a method: two ceremonies, enrol and prove, each a few pure-ish functions over plain data.
import type { Budget } from '../domain/budget.ts'
import type { MethodTraits } from '../domain/policy.ts'
import type { Chance } from '../domain/ports.ts'
import type { Problem, ProblemCode } from '../domain/problems.ts'
import type { Vault } from '../domain/seal.ts'
import type { Account, Credential, EventKind, Form, Time } from '../domain/types.ts'

export type { Vault } from '../domain/seal.ts'

/** What a ceremony may know. A method never sees a request, a response, a store or a limiter. */
export interface Turn {
  account: Account
  /** The account's credentials of this method. */
  credentials: readonly Credential[]
  /** Digest of the flow and the journey it belongs to: what is kept or sent is bound to it. */
  flow: string
  /** `recovery`: a gate of a reset. The page must tell nothing of the account then, and limits are those of a name alone. */
  purpose: 'second-factor' | 'trust-gate' | 'enrol' | 'recovery'
  service: { name: string; issuer: string }
  vault: Vault
  chance: Chance
}

/** A mail that a ceremony wants sent. Values are text; the template is a mail view. */
export interface Letter {
  to: string
  template: string
  values: Readonly<Record<string, string | number>>
  expiresAt: Time
}

/** The step has begun, or goes on: what to remember (it is sealed before it is stored) and what to send. */
export interface Begun<Kept> {
  keep: Kept
  send?: Letter
}

/** A budget that is asked before an answer is looked at. `key` is completed with the account's id by the runner. */
export interface Limit {
  key: string
  budget: Budget
  /** What the page says when it is spent. */
  refused: ProblemCode
  /** Counted for each source address by itself: so long that guessing it is hopeless, and no stranger may close it. */
  perSource?: true
  /** What becomes of the account when the count in a row is spent. */
  exhausted?: (account: Account) => Account
}

/** A pure change of the account; a problem when the account no longer allows it. */
export type Change = (account: Account) => Account | Problem

/** Values for the page, plain data. */
export type ViewModel = Readonly<Record<string, unknown>>

export interface Ceremony<Kept, Result> {
  /** Absent: the step has nothing to remember and nothing to send, and may be shown by a GET. */
  begin?(turn: Turn, kept: Kept | undefined): Promise<Begun<Kept> | Problem>
  /** What the page shows. Pure; asked at every GET. */
  view(kept: Kept, turn: Turn): ViewModel
  /** Budgets of one answer, in order; all are admitted before `answer` is called. */
  limits?(kept: Kept, turn: Turn): readonly Limit[]
  /** A problem that carries `keep` changes what is remembered. */
  answer(kept: Kept, input: Form, turn: Turn): Promise<Result | (Problem & { keep?: Kept })>
}

/** A credential that was tested and is to be bound. */
export interface Enrolled {
  credential: Omit<Credential, 'id' | 'addedAt'> & { id?: string }
  destination?: string
}

/** A credential that was shown to be held. `change` spends the proof on the account, in one write, and refuses a second use. */
export interface Proven {
  credential: string
  destination?: string
  change: Change
  /** What the owner is told of, beside the proof itself. */
  tells?: EventKind
}

// oxlint-disable-next-line typescript/no-explicit-any -- what a ceremony keeps is known to itself alone
export type AnyCeremony<Result> = Ceremony<any, Result>

export interface Method extends MethodTraits {
  /** RFC 8176 values that a proof adds; empty for what is no authentication factor (NIST SP 800-63B-4 3.1.3.1). */
  amr: readonly string[]
  atMost: number
  enrol: AnyCeremony<Enrolled>
  prove: AnyCeremony<Proven>
  /** A credential that nobody holds, stable for one account: a name that leads nowhere walks through the same pages. */
  decoy(turn: Pick<Turn, 'vault' | 'chance'>): Credential
  /** One short line that tells a credential from another of the same method ("Phone", "a…@example.org"). */
  describe(credential: Credential): string
  /** Builds a credential from one imported value, or answers why it cannot: one sentence without the value in it. */
  importRow?(value: unknown, turn: Pick<Turn, 'vault' | 'chance'>): Credential | string
}
