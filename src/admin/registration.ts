// Registering anew, and beginning anew by invitation.
import { canReset, factors, isAdmin, type Policy, type Traits, verdictAtSignIn } from '../domain/policy.ts'
import type { Account, Time } from '../domain/types.ts'
import { type Act, type Acting, done, signedOut, told } from './act.ts'

export interface Judging {
  policy: Policy
  traits: Traits
}

/** A first password may be set within 30 days of being added or invited. */
export const ACTIVATION_DAYS = 30
export const activationFrom = (at: Time): { until: Time } => ({ until: at + ACTIVATION_DAYS * 86_400_000 })

/** What was registered, for the trail: it outlives the credentials. */
const registered = ({ credentials }: Account) =>
  credentials.map(({ method, label, addedAt }) => ({ method, label, addedAt: new Date(addedAt).toISOString() }))

/** Everything registered goes; the next sign-in asks for it anew, with the password and the trust gate alone. */
export const requireRegistration =
  (acting: Acting, { policy, traits }: Judging): Act =>
  (account) => {
    if (account.credentials.length === 0) return { unchanged: 'has nothing registered' }
    const grace = { ...account.grace, coveredUntil: 0, snoozedUntil: 0 }
    const bare = { ...signedOut(account), credentials: [], grace }
    if (verdictAtSignIn(traits, policy, bare, acting.at) === 'fine') {
      return {
        refused: 'would not be asked to register by the present policy, and would be left without a second factor',
      }
    }
    return done(bare, told(acting, account, 'registration.required', { removed: registered(account) }))
  }

/**
 * The way out for somebody who forgot the password before registering: it goes, with what was half registered, and the
 * address on file may set a first one again.
 */
export const invite =
  (acting: Acting, { policy, traits }: Judging): Act =>
  (account) => {
    if (isAdmin(policy, account)) {
      return { refused: "is an administrator's account: administrators also need an access pass, which comes later" }
    }
    if (factors(traits, account).length > 0) {
      return { refused: 'has a second factor: "Forgot password?" on the sign-in page is the way' }
    }
    if (account.disabled) return { refused: 'is disabled: enable it first' }
    if (account.frozen) return { refused: 'is frozen ("this was not me"): unlock it with --thaw first' }
    if (account.email === undefined || !account.emailVerified) {
      return { refused: 'has no mail address that somebody vouches for: "users update" with --email and --verified' }
    }
    const { password, ...rest } = account
    const next = { ...signedOut(rest), credentials: [], activation: activationFrom(acting.at) }
    if (canReset(traits, policy, next, acting.at) !== 'activation') {
      return { refused: 'may not set a password here: reset.scope of the policy leaves it out' }
    }
    const detail = { passwordRemoved: password !== undefined, removed: registered(account) }
    return done(next, told(acting, account, 'account.invited', detail))
  }
