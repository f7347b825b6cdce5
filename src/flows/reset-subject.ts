// Whom a reset is about: an account that may, or one that only looks like it. The pages, the work and the waits are the same.
import { canReset, gatesAsked, type Policy } from '../domain/policy.ts'
import { newAccount } from '../domain/accounts.ts'
import type { Account, Credential } from '../domain/types.ts'
import type { Method } from '../methods/method.ts'
import { changedUnder, type Facts, type Tools } from './flow.ts'

/** Where nobody may reset, or the directory cannot be told, the page is not offered at all. */
export const mayReset = (policy: Policy, tools: Tools): boolean =>
  policy.reset.scope !== 'none' && (tools.directory === undefined || tools.directory.setPassword !== undefined)

/** What a reset may do for the account behind the name. */
export interface Standing {
  /** The account, when it may reset; nothing is ever written for another. */
  real: Account | undefined
  gates: 1 | 2
  /** A first password: one gate, by the address on file. */
  activation: boolean
}

/** Judged anew at every page and every form, from the store and the policy of the moment. */
export function standing(facts: Facts): Standing {
  const { account, policy, record, methods, now } = facts
  const verdict = account && !changedUnder(record, account) ? canReset(methods, policy, account, now) : 'none'
  const activation = verdict === 'activation'
  return {
    real: verdict === 'reset' || activation ? account : undefined,
    gates: activation ? 1 : account ? gatesAsked(methods, policy, account) : policy.reset.gates,
    activation,
  }
}

export interface Subject extends Standing {
  /** What the gates look at: missing credentials are made up, so that every method can be walked and none matches. */
  account: Account
}

const DECOY = 'decoy:'
export const isDecoy = (credential: string): boolean => credential.startsWith(DECOY)

/** In the order in which methods are offered, whoever asks. */
export const resetMethods = (facts: Facts): Method[] =>
  facts.methods.filter((method) => method.serves.includes('recovery') && facts.policy.reset.methods.includes(method.id))

/** First password of an account that has none: the address on file is the only gate there is. */
const onFile = (facts: Facts, account: Account): Credential[] => {
  const gate = resetMethods(facts).find((method) => method.serves.includes('bootstrap'))
  if (!gate || account.email === undefined || !account.emailVerified) return []
  const id = `on-file:${account.id}`
  return [{ id, method: gate.id, label: '', addedAt: account.addedAt, data: { address: account.email } }]
}

export function subjectOf(facts: Facts, tools: Tools): Subject {
  const stands = standing(facts)
  const { real, activation } = stands
  const base = facts.account ?? { ...newAccount(`?${facts.record.named ?? ''}`, 0), username: '' }
  const held = activation ? onFile(facts, base) : (real?.credentials.filter(({ disabled }) => !disabled) ?? [])
  const vault = tools.vault(base.id)
  // All of them for everybody: making only those that are missing would tell by its time who has none (EM-2).
  const made = resetMethods(facts).map((method) => method.decoy({ vault, chance: tools.chance }))
  const missing = made.filter((one) => !held.some((credential) => credential.method === one.method))
  return { ...stands, account: { ...base, credentials: [...held, ...missing] } }
}
