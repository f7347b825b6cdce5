// Everything that can go wrong for a person, in one table: the code is the translation key, the audit reason and the test's expectation.

/**
 * `mend`: the same page again, the user can try again (422). `over`: this flow cannot go on, the page says how to start
 * anew. `ours`: a page with a reference number; the cause goes to the log, never to the page.
 */
export type Remedy = 'mend' | 'over' | 'ours'

const table = {
  // sign-in
  wrong_password: { status: 422, remedy: 'mend' },
  username_missing: { status: 422, remedy: 'mend' },
  password_missing: { status: 422, remedy: 'mend' },
  too_many_passwords: { status: 429, remedy: 'mend' },
  account_disabled: { status: 403, remedy: 'over' },
  // proofs and enrolments
  wrong_code: { status: 422, remedy: 'mend' },
  /** Several wrong codes of an authenticator app: the hint at the phone's clock. */
  wrong_code_clock: { status: 422, remedy: 'mend' },
  code_missing: { status: 422, remedy: 'mend' },
  code_used: { status: 422, remedy: 'mend' },
  code_expired: { status: 422, remedy: 'mend' },
  too_many_codes: { status: 429, remedy: 'mend' },
  too_many_mails: { status: 429, remedy: 'mend' },
  method_unavailable: { status: 422, remedy: 'mend' },
  too_many_credentials: { status: 422, remedy: 'mend' },
  not_acknowledged: { status: 422, remedy: 'mend' },
  /** Only methods that policy switched off, or disabled ones, are left. */
  no_usable_method: { status: 403, remedy: 'over' },
  /** The trust gate cannot be passed: no address on file. */
  no_trusted_address: { status: 403, remedy: 'over' },
  trust_gate_refused: { status: 403, remedy: 'over' },
  no_skips_left: { status: 422, remedy: 'mend' },
  // a new password; each names the rule that it broke
  new_password_missing: { status: 422, remedy: 'mend' },
  password_mismatch: { status: 422, remedy: 'mend' },
  password_too_short: { status: 422, remedy: 'mend' },
  password_too_long: { status: 422, remedy: 'mend' },
  password_common: { status: 422, remedy: 'mend' },
  password_personal: { status: 422, remedy: 'mend' },
  password_banned: { status: 422, remedy: 'mend' },
  password_breached: { status: 422, remedy: 'mend' },
  password_same: { status: 422, remedy: 'mend' },
  /** The current password, in a change. */
  wrong_current_password: { status: 422, remedy: 'mend' },
  /** "This was not me" closed changes; a proof older than that, or the help desk, opens them. */
  changes_frozen: { status: 403, remedy: 'over' },
  /** A used or expired link of a notice. */
  link_over: { status: 410, remedy: 'over' },
  /** An administrator's first password needs an access pass as well. */
  needs_access_pass: { status: 403, remedy: 'over' },
  // the flow
  flow_expired: { status: 410, remedy: 'mend' },
  /** The same, of a reset or a change that chose nothing yet. */
  change_expired: { status: 410, remedy: 'mend' },
  account_changed: { status: 409, remedy: 'mend' },
  interaction_over: { status: 410, remedy: 'over' },
  other_browser: { status: 400, remedy: 'over' },
  // the door
  bad_request: { status: 400, remedy: 'over' },
  foreign_origin: { status: 403, remedy: 'over' },
  not_found: { status: 404, remedy: 'over' },
  method_not_allowed: { status: 405, remedy: 'over' },
  body_too_large: { status: 413, remedy: 'over' },
  unsupported_type: { status: 415, remedy: 'over' },
  wrong_host: { status: 421, remedy: 'over' },
  too_many_requests: { status: 429, remedy: 'over' },
  authorization_request: { status: 400, remedy: 'over' },
  busy: { status: 503, remedy: 'ours' },
  unavailable: { status: 503, remedy: 'ours' },
  internal: { status: 500, remedy: 'ours' },
} as const satisfies Record<string, { status: number; remedy: Remedy }>

export type ProblemCode = keyof typeof table
export const problems: Record<ProblemCode, { status: number; remedy: Remedy }> = table
export const problemCodes = Object.keys(table) as readonly ProblemCode[]

/** A problem that a page shows. `until`: when trying again makes sense. */
export interface Problem {
  problem: ProblemCode
  until?: number
}

export const isProblem = (value: object): value is Problem => 'problem' in value && typeof value.problem === 'string'

/** Thrown where a request cannot be answered otherwise: the store is down, the hash queue is full. */
export class Unavailable extends Error {
  readonly code: 'busy' | 'unavailable'
  readonly retryAfter: number
  constructor(code: 'busy' | 'unavailable', message: string, options: { cause?: unknown; retryAfter?: number } = {}) {
    super(message, { cause: options.cause })
    this.name = 'Unavailable'
    this.code = code
    this.retryAfter = options.retryAfter ?? 5
  }
}
