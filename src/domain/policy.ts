// What an administrator decided, and the pure questions asked of it: in scope? registered? what is missing?
import type { Account, Credential, Purpose, Time } from './types.ts'

/** Policy as it stands in the configuration file (`config/default.yaml` documents every key). */
export interface Policy {
  registration: {
    required: boolean
    scope: 'none' | 'selected' | 'all'
    groups: readonly string[]
    /** The method that proves a user before the first factor is bound; `predicate` asks the host. */
    trustGate: 'email' | 'predicate' | 'dangerouslyNone'
    grace: { until?: Time; skips: number; snoozeDays: number }
  }
  mfa: { required: boolean; methods: readonly string[] }
  reset: {
    scope: 'none' | 'selected' | 'all'
    groups: readonly string[]
    gates: 1 | 2
    methods: readonly string[]
    /** Offers "I know my password, I am locked out". */
    unlock: boolean
  }
  /** `breached`: the address of a range service; without one nobody is asked. */
  password: { banned: readonly string[]; breached?: string }
  notify: { user: boolean; admins: boolean }
  admins: { groups: readonly string[] }
  /** Milliseconds that a signed access token lives at most; 5 minutes without. */
  tokens?: { signedFor: number }
  helpdesk?: string
  /** Per relying party, by `client_id`. */
  clients?: Readonly<Record<string, ClientPolicy>>
}

export interface ClientPolicy {
  /** Which of our prompts it may request; none by default. */
  prompts: readonly string[]
  /** `required`: nobody comes to it with a password alone, whatever `mfa.required` says; default `inherit`. */
  mfa?: 'inherit' | 'required'
  /** `prompt=none` while registration is only recommended: goes through (default), or `interaction_required`. */
  silentWhileRecommended?: boolean
}

/** What a relying party may ask for; one that policy does not name may ask for nothing. */
export const clientPolicy = (policy: Policy, id: string): Required<ClientPolicy> => ({
  prompts: [],
  mfa: 'inherit',
  silentWhileRecommended: true,
  ...(policy.clients && Object.hasOwn(policy.clients, id) ? policy.clients[id] : {}),
})

/** What policy needs to know of a method; `methods/method.ts` has the rest. */
export interface MethodTraits {
  id: string
  serves: readonly Purpose[]
  /** Methods of one kind are not independent of each other (e-mail and SMS count once). */
  kind: string
  /** Can be the only second factor. Recovery codes and passes cannot. */
  standalone: boolean
  /** Registered for everyone who may use it, once: recovery codes. */
  always: boolean
}

/** In the order in which they are offered: strongest first. */
export type Traits = readonly MethodTraits[]

const DAY = 86_400_000

const among = (account: Pick<Account, 'groups'>, groups: readonly string[]): boolean =>
  account.groups.some((group) => groups.includes(group))

export const isAdmin = (policy: Policy, account: Pick<Account, 'groups'>): boolean =>
  among(account, policy.admins.groups)

/** Administrators are always in scope. */
export const inScope = (policy: Policy, account: Account): boolean =>
  isAdmin(policy, account) ||
  policy.registration.scope === 'all' ||
  (policy.registration.scope === 'selected' && among(account, policy.registration.groups))

const trait = (traits: Traits, id: string): MethodTraits | undefined => traits.find((method) => method.id === id)

const serves = (traits: Traits, id: string, purpose: Purpose): boolean =>
  trait(traits, id)?.serves.includes(purpose) ?? false

/**
 * Has anything that sign-in could ask for. A disabled factor still counts, whatever policy allows now (EN-6). What cannot
 * be the only second factor is none without another: ten recovery codes would be ten sign-ins, and then no more.
 */
export function factors(traits: Traits, account: Account): Credential[] {
  const own = account.credentials.filter((credential) => serves(traits, credential.method, 'second-factor'))
  return own.some((credential) => trait(traits, credential.method)?.standalone) ? own : []
}

/** The factors that can be used now: allowed by policy and not disabled. */
export const usableFactors = (traits: Traits, policy: Policy, account: Account): Credential[] =>
  factors(traits, account).filter(
    (credential) => !credential.disabled && policy.mfa.methods.includes(credential.method),
  )

const inResetScope = ({ reset }: Policy, account: Account): boolean =>
  reset.scope === 'all' || (reset.scope === 'selected' && among(account, reset.groups))

/** How many independent proofs a reset asks of this account. Administrators: always two. */
export const gatesOf = (policy: Policy, account: Account): 1 | 2 => (isAdmin(policy, account) ? 2 : policy.reset.gates)

/**
 * One gate by policy is one only where sign-in still asks for another thing: without a factor the same mailbox would open the
 * reset, and then the trust gate (EN-1, RS-6).
 */
export const gatesAsked = (traits: Traits, policy: Policy, account: Account): 1 | 2 =>
  policy.mfa.required && factors(traits, account).length === 0 ? 2 : gatesOf(policy, account)

/** How many must be registered for it; none where the account may not reset. */
const gates = (policy: Policy, account: Account): number =>
  isAdmin(policy, account) || inResetScope(policy, account) ? gatesOf(policy, account) : 0

/** `reset`, `activation` (a first password, with one gate), or why not. */
export type ResetVerdict = 'reset' | 'activation' | 'disabled' | 'out-of-scope' | 'not-registered' | 'administrator'

/** Judged anew at every page. An account that registered too little is told so by mail, never on a page. */
export function canReset(traits: Traits, policy: Policy, account: Account, now: Time): ResetVerdict {
  if (account.disabled) return 'disabled'
  if (!inResetScope(policy, account)) return 'out-of-scope'
  const usable = account.credentials.filter((credential) => !credential.disabled).map((credential) => credential.method)
  if (!account.password && account.credentials.length === 0 && account.activation) {
    if (isAdmin(policy, account)) return 'administrator'
    const reachable = traits.some(({ id, serves }) => serves.includes('bootstrap') && policy.reset.methods.includes(id))
    const known = account.email !== undefined && account.emailVerified
    return reachable && known && now < account.activation.until ? 'activation' : 'not-registered'
  }
  return opensReset(traits, policy, usable, gatesAsked(traits, policy, account)) ? 'reset' : 'not-registered'
}

/**
 * Whether a reset with so many gates can be passed by these methods: asked by registration, by the reset itself and of a
 * new policy. One gate is enough where it can be a method that is no second factor, so that sign-in still asks for another
 * thing; any other method needs a second gate (RS-6).
 */
export function opensReset(traits: Traits, policy: Policy, methods: readonly string[], gates: number): boolean {
  const plain = methods.some(
    (id) => policy.reset.methods.includes(id) && serves(traits, id, 'recovery') && !serves(traits, id, 'second-factor'),
  )
  return recoveryKinds(traits, policy, methods).size >= (gates === 1 && !plain ? 2 : gates)
}

/** Kinds of evidence that a reset could ask this account for. */
const recoveryKinds = (traits: Traits, policy: Policy, methods: readonly string[]): Set<string> =>
  new Set(
    methods
      .filter((id) => policy.reset.methods.includes(id) && serves(traits, id, 'recovery'))
      .map((id) => trait(traits, id)?.kind ?? id),
  )

/** One thing to register: any one of these methods, strongest first. */
export interface Missing {
  methods: readonly string[]
  why: 'second-factor' | 'recovery' | 'always'
}

/**
 * The fewest things that make the account registered, given that the methods in `sure` will be there anyway (the trust
 * gate registers the address it proves). Empty: registered.
 */
export function missing(traits: Traits, policy: Policy, account: Account, sure: readonly string[] = []): Missing[] {
  const usable = account.credentials.filter((credential) => !credential.disabled).map((credential) => credential.method)
  const has = new Set([...usable, ...sure])
  const list: Missing[] = []
  const plan = (item: Missing): void => {
    list.push(item)
    if (item.methods[0]) has.add(item.methods[0])
  }
  const standalone = traits.filter(
    (method) => method.standalone && method.serves.includes('second-factor') && policy.mfa.methods.includes(method.id),
  )
  if (policy.mfa.required && !standalone.some((method) => has.has(method.id))) {
    plan({ methods: standalone.map((method) => method.id), why: 'second-factor' })
  }
  const allowed = (id: string): boolean => policy.mfa.methods.includes(id) || policy.reset.methods.includes(id)
  for (const method of traits.filter((candidate) => candidate.always && allowed(candidate.id))) {
    const issued = account.credentials.some((credential) => credential.method === method.id)
    if (!issued) plan({ methods: [method.id], why: 'always' })
  }
  const wanted = gates(policy, account)
  while (!opensReset(traits, policy, [...has], wanted)) {
    const kinds = recoveryKinds(traits, policy, [...has])
    const more = traits.filter(
      (method) =>
        policy.reset.methods.includes(method.id) && method.serves.includes('recovery') && !kinds.has(method.kind),
    )
    if (more.length === 0) break
    plan({ methods: more.map((method) => method.id), why: 'recovery' })
  }
  return list
}

export const isRegistered = (traits: Traits, policy: Policy, account: Account): boolean =>
  missing(traits, policy, account).length === 0

/** `required`: cannot go on without. `skippable`: may say "not now". `fine`: nothing to ask. */
export type Verdict = 'fine' | 'skippable' | 'required'

/** What is still possible of "not now"; administrators have none (EN-8). */
export function graceLeft(policy: Policy, account: Account, now: Time): { skips: number; until?: Time } | undefined {
  const { grace } = policy.registration
  if (isAdmin(policy, account)) return undefined
  const skips = Math.max(0, grace.skips - account.grace.skips)
  if (grace.until !== undefined && now < grace.until) return { skips, until: grace.until }
  return skips > 0 ? { skips } : undefined
}

/** Asked when somebody signs in. */
export function verdictAtSignIn(traits: Traits, policy: Policy, account: Account, now: Time): Verdict {
  if (!policy.registration.required || !inScope(policy, account)) return 'fine'
  if (isRegistered(traits, policy, account)) return 'fine'
  if (now < account.grace.snoozedUntil && !isAdmin(policy, account)) return 'fine'
  return graceLeft(policy, account, now) ? 'skippable' : 'required'
}

/** Asked of a session that exists: the second lock. A "not now" covers it for a day. */
export function verdictOfSession(traits: Traits, policy: Policy, account: Account, now: Time): Verdict {
  const verdict = verdictAtSignIn(traits, policy, account, now)
  return verdict === 'required' && now < account.grace.coveredUntil && !isAdmin(policy, account) ? 'skippable' : verdict
}

/** Spends one "not now"; undefined when none is left. A deadline costs no skip. */
export function skip(policy: Policy, account: Account, now: Time): Account | undefined {
  const left = graceLeft(policy, account, now)
  if (!left) return undefined
  const byDeadline = left.until !== undefined
  const { snoozeDays } = policy.registration.grace
  const last = left.until ?? Number.POSITIVE_INFINITY
  return {
    ...account,
    grace: {
      skips: account.grace.skips + (byDeadline ? 0 : 1),
      coveredUntil: Math.min(now + DAY, last),
      // Without days nothing is snoozed, not even for a request that looked at its clock a moment earlier (EN-8).
      snoozedUntil: snoozeDays > 0 ? Math.min(now + snoozeDays * DAY, last) : account.grace.snoozedUntil,
    },
  }
}
