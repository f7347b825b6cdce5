// Requirement: the second factor, of an account that has one, whatever policy says now (EN-6).
import { changed } from '../domain/accounts.ts'
import { factors, usableFactors } from '../domain/policy.ts'
import { isProblem } from '../domain/problems.ts'
import type { Account, Credential, Evidence, Form } from '../domain/types.ts'
import type { Method, Proven } from '../methods/method.ts'
import { type Act, answer, begin, current, view } from './ceremony.ts'
import type { Answer, Ends, Facts, Requirement, Tools } from './flow.ts'
import { ended } from './finish.ts'
import { event, ownSession } from './flow.ts'
import type { Choice, Page } from './pages.ts'

/** Methods of these credentials: the last used one first, then strongest first. */
export function offered(methods: readonly Method[], credentials: readonly Credential[]): Method[] {
  const lastUsed = (method: Method): number =>
    Math.max(
      0,
      ...credentials.filter((one) => one.method === method.id && method.standalone).map((one) => one.lastUsedAt ?? 0),
    )
  return methods
    .filter((method) => credentials.some((credential) => credential.method === method.id))
    .toSorted((a, b) => lastUsed(b) - lastUsed(a))
}

export const choices = (methods: readonly Method[], credentials: readonly Credential[]): Choice[] =>
  methods.map((method) => {
    const own = credentials.filter((credential) => credential.method === method.id)
    return { method: method.id, ...(own.length > 0 && { hint: own.map((one) => method.describe(one)).join(', ') }) }
  })

/** A proof given in this flow, or a factor bound in it: binding the first one needed the trust gate, further ones a proof. */
const shown = (facts: Facts, methods: readonly Method[]): Evidence | undefined =>
  facts.record.evidence.findLast(
    ({ kind, method }) =>
      (kind === 'proof' || kind === 'enrolment') &&
      methods.some((one) => one.id === method && one.serves.includes('second-factor') && one.standalone),
  ) ?? facts.record.evidence.findLast(({ kind }) => kind === 'proof')

/**
 * Spends a proof on the account and answers the evidence. The tag makes the same form harmless when the process died
 * between this write and the flow's: it counts once, for this flow and turn only.
 */
export async function spendProof(
  facts: Facts,
  tools: Tools,
  account: Account,
  proof: {
    method: Method
    result: Proven
    counted: readonly string[]
    tag: string
    kind: 'proof' | 'trust-gate' | 'gate'
    ends?: Ends
  },
): Promise<Answer> {
  const { method, result, counted, tag, kind, ends } = proof
  const evidence = { ...proofEvidence(facts, method, kind, result.credential, result.destination), counted }
  let again: Account | undefined
  const written = await tools.accounts.change(account, (fresh) => {
    if (fresh.epoch !== account.epoch) return { problem: 'account_changed' }
    if (fresh.spent?.tag === tag) again = fresh
    if (again) return { problem: 'account_changed' }
    const next = result.change(fresh)
    if (isProblem(next)) return next
    const proven = event(facts, tools, provenKinds[kind], {
      accountId: fresh.id,
      detail: { method: method.id, credential: result.credential },
    })
    const tells = result.tells ? [event(facts, tools, result.tells, { accountId: fresh.id })] : []
    const spent = { ...next, spent: { tag, at: facts.now, evidence } }
    const then = proved(facts, spent, evidence)
    // The last thing that was missing: one write for the proof and for what it ends.
    const end = ends?.(then) ? ended(then, tools, spent) : { account: spent, events: [] }
    return changed(end.account, proven, ...tells, ...end.events)
  })
  if (!isProblem(written)) return { met: evidence, account: written }
  return (again && repeated(again, tag)) ?? written
}

/** The facts with one more piece of evidence. */
export const proved = (facts: Facts, account: Account, evidence: Evidence): Facts => ({
  ...facts,
  account,
  record: { ...facts.record, evidence: [...facts.record.evidence, evidence] },
})

const provenKinds = { proof: 'sign-in.proof', 'trust-gate': 'trust-gate', gate: 'reset.gate' } as const

/** The evidence of a form that the account has seen already: a double click, or a repeat after a crash. */
export const repeated = (account: Account, tag: string): { met: Evidence; account: Account } | undefined =>
  account.spent?.tag === tag && account.spent.evidence ? { met: account.spent.evidence, account } : undefined

export const proofEvidence = (
  facts: Facts,
  method: Pick<Method, 'id' | 'amr'>,
  kind: 'proof' | 'trust-gate' | 'gate',
  credential?: string,
  destination?: string,
): Evidence => ({
  kind,
  method: method.id,
  ...(credential !== undefined && { credential }),
  ...(destination !== undefined && { destination }),
  amr: kind === 'proof' ? method.amr : [],
  turn: facts.record.turn,
  at: facts.now,
})

/** Names one form of one turn of one flow; it holds no secret that can be read back. */
export const tagOf = (facts: Facts, form: Form, tools: Tools): string =>
  tools.digest(`${facts.record.id}:${facts.record.startedAt}:${facts.record.turn}:${form['code'] ?? ''}`, 'spent')

function act(facts: Facts, account: Account, tools: Tools): Act<Proven> {
  const usable = usableFactors(tools.methods, facts.policy, account)
  return {
    requirement: 'second-factor',
    purpose: 'second-factor',
    account,
    methods: offered(tools.methods, usable),
    ceremony: (method) => method.prove,
  }
}

export const secondFactor: Requirement = {
  name: 'second-factor',
  met: (facts) => {
    if (!facts.account) return false
    return factors(facts.methods, facts.account).length === 0 || shown(facts, facts.methods) !== undefined
  },

  page(facts, tools): Page | { over: 'no_usable_method' } {
    const account = facts.account as Account
    const proofs = act(facts, account, tools)
    if (proofs.methods.length === 0) return { over: 'no_usable_method' }
    const method = current(proofs, facts) ?? (facts.record.step?.choosing ? undefined : proofs.methods[0])
    const model = method && view(proofs, method, facts, tools)
    if (!method || !model) {
      const methods = choices(proofs.methods, account.credentials)
      return { name: 'choose-method', purpose: 'second-factor', methods }
    }
    return { name: 'prove', method: method.id, purpose: 'second-factor', others: proofs.methods.length > 1, model }
  },

  async begin(facts, tools) {
    const proofs = act(facts, facts.account as Account, tools)
    const [first] = proofs.methods
    return first ? begin(proofs, first, facts, tools) : { over: 'no_usable_method' }
  },

  async answer(facts, form, tools, ends): Promise<Answer> {
    const account = facts.account as Account
    const proofs = act(facts, account, tools)
    const tag = tagOf(facts, form, tools)
    const answered = await answer(proofs, form, facts, tools)
    if ('result' in answered) return spendProof(facts, tools, account, { ...answered, tag, kind: 'proof', ends })
    const problem = isProblem(answered) ? answered : answered.problem
    if (problem && form['code'] !== undefined) await failed(facts, tools, account, problem.problem)
    return answered
  },
}

async function failed(facts: Facts, tools: Tools, account: Account, reason: string): Promise<void> {
  if (reason.startsWith('too_many')) return
  await tools.audit.append([
    event(facts, tools, 'sign-in.proof', { accountId: account.id, outcome: 'failure', reason }),
  ])
}

/** A second factor proven with the session's sign-in in the last five minutes is enough for a change (CH-1). */
const RECENT = 5 * 60_000
export const recentFactor: Requirement = {
  ...secondFactor,
  met(facts) {
    const session = ownSession(facts)
    const recent = session?.amr.includes('mfa') === true && facts.now - (session.loginAt ?? 0) < RECENT
    return recent || secondFactor.met(facts)
  },
}
