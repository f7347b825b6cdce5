// The nouns of the product: account, credential, proof, evidence, flow, event.

/** Milliseconds since 1970 UTC. Every time in this package is one of these unless its name says seconds. */
export type Time = number

/** What a method is good for. `second-factor` beside the password, `recovery` as a gate of a reset, `bootstrap` opens registration. */
export type Purpose = 'second-factor' | 'recovery' | 'bootstrap'

/** Something a user registered: an authenticator, an address, a set of codes. `data` belongs to its method alone. */
export interface Credential<Data = unknown> {
  id: string
  method: string
  label: string
  addedAt: Time
  lastUsedAt?: Time
  /** Too many wrong codes closed it. It still counts as a factor: binding anew needs another factor or a pass. */
  disabled?: boolean
  data: Data
}

/** A local password. Absent when the host's own directory keeps it, or when none was ever set. */
export interface Password {
  hash: string
  changedAt: Time
  /** Why it has to be changed at the next sign-in: no token before that. */
  mustChange?: 'temporary' | 'flagged' | 'compromised'
}

/** What a user has spent of the grace that policy gives ("not now"). */
export interface Grace {
  skips: number
  /** A skip covers sign-ins and other relying parties until then, so that one "not now" is asked once. */
  coveredUntil: Time
  /** The next sign-in may be silent until then (`registration.grace.snoozeDays`). */
  snoozedUntil: Time
}

/** The last proof that was spent on the account. It makes a repeated post of the same flow and turn harmless after a crash. */
export interface SpentProof {
  tag: string
  at: Time
  /** What that post was good for: its repeat gets the same, whether the first one is under way or died. */
  evidence?: Evidence
}

/**
 * The consistency boundary. Every security change is a pure function from one account to the next, applied by one
 * conditional write (`version` equal), so password, epoch, credentials and spent proofs change together or not at all.
 */
export interface Account {
  /** The `sub` claim: opaque, stable, never reused. A host's own directory brings its own ids. */
  id: string
  version: number
  /** As it is shown. */
  username: string
  /** As it is compared: NFKC, trimmed, case folded. Unique. */
  usernameKey: string
  name?: string
  email?: string
  emailVerified: boolean
  groups: string[]
  disabled: boolean
  /** Everything signed in under an older epoch is dead (ASVS 7.4.1). */
  epoch: number
  password?: Password
  credentials: Credential[]
  grace: Grace
  spent?: SpentProof
  /** Until then an account without a password and without credentials may set its first one with one gate. */
  activation?: { until: Time }
  /** "This was not me": changes to security info and password wait for a proof by credentials older than `at`. */
  frozen?: { at: Time }
  /** The language of the last completed flow: notices are written in it. */
  language?: string
  /** Browsers in which a sign-in was completed, newest first, at most 10. Ids only; the cookie carries the signature. */
  browsers: string[]
  /** Events of committed changes that still have to reach the audit trail and the notices. At most 64. */
  outbox: AuditEvent[]
  addedAt: Time
}

/** A credential shown to be held, now, in one step of one flow. Used once, bound to all of these. */
export interface Evidence {
  kind: 'password' | 'proof' | 'enrolment' | 'trust-gate' | 'gate' | 'new-password' | 'acknowledged' | 'skipped'
  /** The method, or `password`. */
  method: string
  credential?: string
  /** Where a mailed code went. */
  destination?: string
  /** RFC 8176 values that this evidence adds. */
  amr: readonly string[]
  /** Budgets whose count in a row ends with the completed flow, not before (TH-9). */
  counted?: readonly string[]
  turn: number
  at: Time
}

/** One journey of pages for one authorization request. Saved by compare-and-set, keyed by the digest of the provider's `cid`. */
export interface FlowRecord {
  id: string
  version: number
  journey: string
  accountId?: string
  /** Forgot password: what was typed as a name, digested; a name that leads nowhere gets an account made up from it. */
  named?: string
  /** Forgot password: a new password, or only the end of the waits. */
  goal?: 'reset' | 'unlock'
  /** The account's epoch when its first proof was judged. Another epoch ends the flow. */
  epoch?: number
  /** Rises with every accepted post. A form of another turn is answered with the current page. */
  turn: number
  evidence: Evidence[]
  step?: Step
  startedAt: Time
  expiresAt: Time
}

/** What the open step of a flow remembers. Secrets are sealed before they come here and never travel through a form. */
export interface Step {
  requirement: string
  /** The method in use, once one was chosen. */
  method?: string
  credential?: string
  /** The method's own memory between two turns: sealed JSON. */
  sealed?: string
  /** The list of methods is shown instead of the method. */
  choosing?: boolean
}

/** Something that happened, for the audit trail, notices, log and metrics. Never holds a secret. */
export interface AuditEvent {
  /** Unique; appending the same id twice keeps one. */
  id: string
  kind: EventKind
  outcome: 'success' | 'failure'
  at: Time
  /** A problem code, or another short reason. */
  reason?: string
  accountId?: string
  /** Who did it, when it was not the account itself: `cli:<name>`, `policy`, ... */
  actor?: string
  address?: string
  browser?: string
  client?: string
  interaction?: string
  /** Further facts: method, label, old and new value of a policy key. */
  detail?: Record<string, unknown>
}

export type EventKind =
  | 'sign-in.password'
  | 'sign-in.proof'
  | 'sign-in.locked'
  | 'sign-in.completed'
  | 'sign-in.cancelled'
  | 'registration.started'
  | 'registration.item'
  | 'registration.completed'
  | 'registration.skipped'
  | 'registration.cancelled'
  | 'trust-gate'
  | 'mail.requested'
  | 'password.rehashed'
  | 'credential.disabled'
  | 'account.added'
  | 'account.signed-out'
  | 'account.unlocked'
  | 'account.updated'
  | 'account.deleted'
  | 'account.disabled'
  | 'account.enabled'
  | 'account.invited'
  | 'account.frozen'
  | 'account.thawed'
  | 'registration.required'
  | 'reset.started'
  | 'reset.gate'
  | 'reset.blocked'
  | 'password.reset'
  | 'password.changed'
  | 'password.activated'
  | 'password.flagged'
  | 'recovery-code.spent'
  | 'policy.changed'
  | 'guess.refused'
  | 'relying-party.notified'

/** A user as a host's own directory knows them. Local accounts are their own person. */
export interface Person {
  id: string
  username: string
  name?: string
  email?: string
  emailVerified?: boolean
  groups?: readonly string[]
  disabled?: boolean
}

/** Form fields, each exactly one string: anything else was refused at the door. */
export type Form = Readonly<Record<string, string>>
