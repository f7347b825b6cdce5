// Forgot password: a name, one or two gates, then a new password, or only the end of the waits. Never signs in (RS-8).
import { canReset } from '../domain/policy.ts'
import { budgets } from '../domain/budget.ts'
import { changed } from '../domain/accounts.ts'
import { isProblem, type ProblemCode } from '../domain/problems.ts'
import type { Account, Evidence, Form } from '../domain/types.ts'
import type { AnyCeremony, Method, Proven } from '../methods/method.ts'
import { type Act, answer, begin, current, view } from './ceremony.ts'
import type { Answer, Facts, Requirement, Tools } from './flow.ts'
import { event, evidenceOf } from './flow.ts'
import { clearWaits } from './guess.ts'
import type { Page } from './pages.ts'
import { isDecoy, resetMethods, type Standing, standing, type Subject, subjectOf } from './reset-subject.ts'
import { spendProof, tagOf } from './second-factor.ts'

const LONGEST_NAME = 256
const LETTER_LIFE = 60 * 60_000

const done = (facts: Facts, what: string): Evidence => ({
  kind: 'acknowledged',
  method: what,
  amr: [],
  turn: facts.record.turn,
  at: facts.now,
})

/** Asked for a name. Whether it leads anywhere is told to nobody; the owner hears by mail what was missing. */
export const named: Requirement = {
  name: 'named',
  met: ({ record }) => record.named !== undefined,
  page: ({ visit, policy }) => ({
    name: 'forgot',
    unlock: policy.reset.unlock,
    ...(visit.loginHint !== undefined && { username: visit.loginHint }),
  }),
  async answer(facts, form, tools): Promise<Answer> {
    const username = (form['username'] ?? '').trim()
    if (username === '') return { problem: 'username_missing' }
    const asking = tools.chance.random(9).toString('base64url')
    const source = await tools.budgets.admit(`resets:${facts.visit.address}`, budgets.resetsAsked, facts.now, asking)
    if (!source.admitted)
      return { problem: 'too_many_requests', ...(source.until !== undefined && { until: source.until }) }
    const goal = form['action'] === 'unlock' && facts.policy.reset.unlock ? 'unlock' : 'reset'
    const account = username.length > LONGEST_NAME ? undefined : await tools.accounts.findByUsername(username)
    const digest = tools.digest(tools.usernameKey(username.slice(0, LONGEST_NAME)), 'named')
    facts.visit.beside(explain(facts, tools, account, { named: digest, goal }))
    return { met: done(facts, 'named'), account, note: { named: digest, goal } }
  },
}

/** One admission and one letter for every name, so that the work tells nothing; most letters go nowhere (EM-3, EM-4). */
async function explain(
  facts: Facts,
  tools: Tools,
  account: Account | undefined,
  { named, goal }: { named: string; goal: 'reset' | 'unlock' },
): Promise<void> {
  const verdict = account ? canReset(facts.methods, facts.policy, account, facts.now) : 'reset'
  const why = verdict === 'reset' || verdict === 'activation' ? undefined : verdict
  const about = account ? { accountId: account.id } : {}
  const events = [event(facts, tools, 'reset.started', { ...about, detail: { goal } })]
  if (why) events.push(event(facts, tools, 'reset.blocked', { ...about, outcome: 'failure', reason: why }))
  // One write, whatever there is to tell (EM-4).
  facts.visit.beside(tools.audit.append(events))
  const id = tools.chance.random(9).toString('base64url')
  const key = `reset-mails:${account?.id ?? `?${named}`}:explained`
  const { admitted } = await tools.budgets.admit(key, budgets.mails, facts.now, id)
  const told = why !== undefined && admitted && account?.emailVerified === true ? (account.email ?? '') : ''
  const letter = {
    to: told,
    template: 'reset-blocked',
    values: { why: why ?? 'none' },
    expiresAt: facts.now + LETTER_LIFE,
  }
  await tools.post(letter, account?.language ?? facts.visit.language, id)
}

const gatesPassed = (facts: Facts): Evidence[] => facts.record.evidence.filter(({ kind }) => kind === 'gate')

const number = (facts: Facts): 1 | 2 => (gatesPassed(facts).length === 0 ? 1 : 2)

/** With one gate by policy it must be a method that is no second factor, so that sign-in still asks for another (RS-6). */
function needed(facts: Facts, subject: Standing): number {
  const [first] = gatesPassed(facts)
  const method = facts.methods.find(({ id }) => id === first?.method)
  return subject.gates === 1 && method?.serves.includes('second-factor') ? 2 : subject.gates
}

/** Whatever the library says: a made-up credential matches nothing, and the guess stays spent. */
const neverByDecoy = (ceremony: AnyCeremony<Proven>): AnyCeremony<Proven> => ({
  ...ceremony,
  async answer(keep, input, turn) {
    const answered = await ceremony.answer(keep, input, turn)
    return !isProblem(answered) && isDecoy(answered.credential) ? { problem: 'wrong_code' } : answered
  },
})

function act(facts: Facts, subject: Subject): Act<Proven> {
  const passed = gatesPassed(facts)
  const kinds = new Set(passed.map(({ method }) => facts.methods.find(({ id }) => id === method)?.kind))
  return {
    requirement: `gate-${passed.length + 1}`,
    purpose: 'recovery',
    account: subject.account,
    methods: resetMethods(facts).filter((method) => !kinds.has(method.kind)),
    ceremony: (method: Method) => neverByDecoy(method.prove),
  }
}

/** One gate; the same requirement serves for both, each with a method of another kind. */
export const gates: Requirement = {
  name: 'gates',
  met(facts) {
    const stands = standing(facts)
    const passed = gatesPassed(facts).length >= needed(facts, stands)
    // What came after changed the epoch by itself: the gates were passed for it.
    return evidenceOf(facts.record, 'new-password') !== undefined || (stands.real !== undefined && passed)
  },

  page(facts, tools): Page {
    const subject = subjectOf(facts, tools)
    const gate = act(facts, subject)
    const method = current(gate, facts)
    const model = method && view(gate, method, facts, tools)
    if (!method || !model) {
      const methods = gate.methods.map(({ id }) => ({ method: id }))
      return { name: 'choose-method', purpose: 'reset', gate: number(facts), methods }
    }
    const others = gate.methods.length > 1
    return { name: 'prove', method: method.id, purpose: 'reset', gate: number(facts), others, model }
  },

  async answer(facts, form, tools): Promise<Answer> {
    const subject = subjectOf(facts, tools)
    const gate = act(facts, subject)
    const chosen = gate.methods.find(({ id }) => id === form['method'])
    if (!current(gate, facts) && !chosen) return { problem: 'method_unavailable' }
    const answered = chosen ? await begin(gate, chosen, facts, tools) : await answer(gate, form, facts, tools)
    if (!('result' in answered)) {
      const problem = isProblem(answered) ? answered : answered.problem
      if (problem && form['code'] !== undefined) await missed(facts, tools, problem.problem)
      return answered
    }
    const { method, result, counted } = answered
    if (!subject.real) return { problem: 'wrong_code' }
    // The address on file is no credential, so there is nothing on the account that its proof could spend.
    const proof = subject.activation ? { ...result, change: (account: Account) => account } : result
    return spendProof(facts, tools, subject.real, {
      method,
      result: proof,
      counted,
      tag: tagOf(facts, form, tools),
      kind: 'gate',
    })
  },
}

async function missed(facts: Facts, tools: Tools, reason: ProblemCode): Promise<void> {
  if (reason.startsWith('too_many')) return
  const about = facts.account ? { accountId: facts.account.id } : {}
  await tools.audit.append([event(facts, tools, 'reset.gate', { ...about, outcome: 'failure', reason })])
}

/** "I know my password, I am locked out": the waits end, the password stays. */
export const unlocked: Requirement = {
  name: 'unlocked',
  met: ({ record }) => record.goal !== 'unlock' || evidenceOf(record, 'new-password') !== undefined,
  page: () => ({ name: 'message', message: 'continue' }),
  begin: (facts, tools) => unlock(facts, tools),
  answer: (facts, _form: Form, tools) => unlock(facts, tools),
}

async function unlock(facts: Facts, tools: Tools): Promise<{ met: Evidence; account: Account | undefined }> {
  const account = facts.account as Account
  await clearWaits(account, tools)
  await tools.directory?.unlock?.(account.id)
  // One event of this flow, told once, also when a crash repeats the form that led here.
  const id = tools.digest(`${facts.record.id}:${facts.record.startedAt}`, 'unlocked').slice(-32)
  const happened = event(facts, tools, 'account.unlocked', { id, accountId: account.id })
  const written = await tools.accounts.change(account, (fresh) =>
    fresh.outbox.some((one) => one.id === id) ? { problem: 'account_changed' } : changed(fresh, happened),
  )
  const met: Evidence = { ...done(facts, 'unlock'), kind: 'new-password' }
  return { met, account: isProblem(written) ? account : written }
}
