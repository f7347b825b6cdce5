// What an authorization request demands beyond policy, and the policy that then holds for its flow.
import { factors, isRegistered, type Policy, verdictAtSignIn } from '../domain/policy.ts'
import type { Credential } from '../domain/types.ts'
import type { Facts } from './flow.ts'

/** Factors that were there before this flow: what it binds itself must not end the demand half-way. */
const before = ({ methods, account, record }: Facts): Credential[] => {
  if (!account) return []
  const bound = new Set(record.evidence.flatMap(({ kind, credential }) => (kind === 'enrolment' ? [credential] : [])))
  return factors(methods, account).filter(({ id }) => !bound.has(id))
}

/** A second factor is demanded of an account that had none: the only way on is to register. */
export const lacking = (facts: Facts): boolean =>
  facts.account !== undefined && facts.visit.demands.includes('mfa') && before(facts).length === 0

/** Policy as it holds for this flow. A demanded factor leaves no "not now"; a registration asked for leaves what policy gives. */
export function policyOf(facts: Facts): Policy {
  const { policy, visit } = facts
  const factor = lacking(facts)
  if (!factor && !visit.demands.includes('registration')) return policy
  const { grace } = policy.registration
  return {
    ...policy,
    registration: {
      ...policy.registration,
      required: true,
      scope: 'all',
      grace: factor ? { skips: 0, snoozeDays: 0 } : grace,
    },
    mfa: { ...policy.mfa, required: policy.mfa.required || factor },
  }
}

/** Something is missing that this flow has to ask for. What is demanded does not wait for a "not now" of before. */
export function outstanding(facts: Facts): boolean {
  const { account, methods, now, visit } = facts
  if (!account) return false
  const policy = policyOf(facts)
  if (lacking(facts) || visit.demands.includes('registration')) return !isRegistered(methods, policy, account)
  return verdictAtSignIn(methods, policy, account, now) !== 'fine'
}
