// The runner: shows the page of the first requirement that is not met, takes its form, and goes on until all are met.
import { timingSafeEqual } from 'node:crypto'
import type { Policy } from '../domain/policy.ts'
import { isProblem, type Problem, type ProblemCode } from '../domain/problems.ts'
import type { Account, Evidence, FlowRecord, Form, Step } from '../domain/types.ts'
import { complete, type SignedIn } from './finish.ts'
import { event, type Facts, type Requirement, type Tools, type Visit } from './flow.ts'
import { journeyOf } from './journeys.ts'
import type { Page, Shown } from './pages.ts'
import { repeated, tagOf } from './second-factor.ts'

/** One flow lives this long; the authorization request behind it much longer. */
export const FLOW_LIFE = 15 * 60_000

export type Outcome =
  | { shown: Shown }
  /** This flow cannot go on. */
  | { over: ProblemCode }
  /** The form was accepted, or is not of this turn: the same address shows where things stand. */
  | { again: true }
  /** The session behind the request is gone or unwanted: the provider has to begin anew with the same request. */
  | { anew: true; signOut: boolean }
  | { cancelled: true }
  | { finished: SignedIn }

interface Opened {
  facts: Facts
  /** The version that a save must find; 0 when there is no record yet. */
  version: number
  notice?: Problem
}

const fresh = (visit: Visit, id: string, now: number): FlowRecord => ({
  id,
  version: 0,
  journey: visit.journey,
  turn: 0,
  evidence: [],
  startedAt: now,
  expiresAt: now + FLOW_LIFE,
})

/** The record as it may be used now. What expired, or belongs to another epoch of the account, starts from the beginning. */
async function open(visit: Visit, policy: Policy, tools: Tools): Promise<Opened> {
  const now = tools.chance.now()
  const id = tools.digest(visit.interaction, 'flow')
  const stored = await tools.flows.find(id)
  const version = stored?.version ?? 0
  const base = { visit, policy, methods: tools.methods, now }
  const begin = async (problem?: ProblemCode): Promise<Opened> => {
    const account =
      visit.session && visit.journey !== 'login' ? await tools.accounts.find(visit.session.accountId) : undefined
    const usable = account?.disabled ? undefined : account
    const facts = { ...base, record: fresh(visit, id, now), account: usable }
    return { facts, version, ...(problem && { notice: { problem } }) }
  }
  if (!stored || stored.journey !== visit.journey) return begin()
  if (stored.expiresAt <= now) return begin(stored.evidence.length > 0 ? 'flow_expired' : undefined)
  const whose = stored.accountId ?? (visit.journey === 'login' ? undefined : visit.session?.accountId)
  const account = whose === undefined ? undefined : await tools.accounts.find(whose)
  const other =
    whose !== undefined && (!account || account.disabled || (stored.epoch ?? account.epoch) !== account.epoch)
  if (other) return begin('account_changed')
  return { facts: { ...base, record: stored, account }, version }
}

const requirements = (visit: Visit): readonly Requirement[] => journeyOf(visit.journey)?.requirements ?? []

const firstUnmet = (facts: Facts): Requirement | undefined => requirements(facts.visit).find((one) => !one.met(facts))

/** A session flow whose account is gone: only the provider can tell what comes next. */
const orphaned = (facts: Facts): boolean => facts.visit.journey !== 'login' && !facts.account

/** Names turn, requirement and, in its digest, browser (by its interaction); a form without it is refused (WB-1). */
const token = (facts: Facts, turn: number, requirement: string, tools: Tools): string =>
  `${turn}.${requirement}.${tools.digest(`${facts.record.id}:${turn}:${requirement}`, 'step')}`

function shown(facts: Facts, tools: Tools, problem?: Problem): Outcome {
  const requirement = firstUnmet(facts)
  const page: Page | { over: ProblemCode } = requirement?.page(facts, tools) ?? { name: 'message', message: 'continue' }
  if ('over' in page) return { over: page.over }
  return {
    shown: {
      page,
      ...(problem && { problem }),
      step: token(facts, facts.record.turn, requirement?.name ?? 'finish', tools),
      ...(facts.account && { username: facts.account.username }),
      client: facts.visit.client.name,
      // What is registered stays so: there is nothing to take back any more.
      cancel: page.name !== 'registered',
      mailSlow: !tools.mailHealthy(),
    },
  }
}

/** The page of a GET. Has no effect, whoever asks and however often. */
export async function show(visit: Visit, policy: Policy, tools: Tools): Promise<Outcome> {
  const { facts, notice } = await open(visit, policy, tools)
  if (orphaned(facts)) return { anew: true, signOut: false }
  return shown(facts, tools, notice)
}

const GENUINE = /^(\d{1,6})\.([a-z-]{1,40})\.[\w.-]{20,200}$/

/** Takes one form. */
export async function submit(visit: Visit, form: Form, policy: Policy, tools: Tools): Promise<Outcome> {
  const { facts, version } = await open(visit, policy, tools)
  const step = form['step'] ?? ''
  const [, turned, asked = ''] = GENUINE.exec(step) ?? []
  const turn = Number(turned)
  if (turned === undefined || !same(step, token(facts, turn, asked, tools))) return { over: 'foreign_origin' }
  if (orphaned(facts)) return { anew: true, signOut: false }
  if (form['action'] === 'cancel') return cancel(facts, tools)
  if (form['action'] === 'restart') return restart(facts, version, tools)
  if (turn !== facts.record.turn) return { again: true }
  const requirement = firstUnmet(facts)
  if (!requirement) return finish(facts, tools)
  const before = facts.account && repeated(facts.account, tagOf(facts, form, tools))
  // The account changed under the page, on another device or in another tab: this form answers what is asked no more.
  if (!before && asked !== requirement.name) return { again: true }
  const answered = before ?? (await requirement.answer(facts, form, tools))
  if ('over' in answered) return answered
  if ('restart' in answered) return restart(facts, version, tools, { problem: answered.restart })
  if ('met' in answered) return proceed(withEvidence(facts, answered.met, answered.account), version, tools)
  if (isProblem(answered)) return shown(typed(facts, form), tools, answered)
  return stay(facts, version, answered, tools)
}

/** The same requirement goes on with another step: a further code sent, another method chosen, a wrong code counted. */
async function stay(
  facts: Facts,
  version: number,
  { step, problem, send }: { step: Step; problem?: Problem; send?: () => Promise<void> },
  tools: Tools,
): Promise<Outcome> {
  // A wrong answer leaves the turn as it is: the page that shows it is the answer to this form.
  const turn = facts.record.turn + (problem ? 0 : 1)
  const record = { ...facts.record, step, turn }
  if (!(await save(record, version, tools))) return { again: true }
  await send?.()
  return problem ? shown({ ...facts, record: { ...record, version: version + 1 } }, tools, problem) : { again: true }
}

/** A requirement was met: the next one begins with the same post, so that no GET ever has to send or make anything. */
async function proceed(facts: Facts, version: number, tools: Tools): Promise<Outcome> {
  const now: Facts = { ...facts, record: { ...facts.record, turn: facts.record.turn + 1 } }
  const next = firstUnmet(now)
  if (!next) return (await save(now.record, version, tools)) ? finish(now, tools) : { again: true }
  const begun = await next.begin?.(now, tools)
  if (begun && 'met' in begun) return proceed(withEvidence(facts, begun.met, begun.account), version, tools)
  if (!begun || 'over' in begun) {
    await save(now.record, version, tools)
    return begun ?? { again: true }
  }
  const record = { ...now.record, step: begun.step }
  if (!(await save(record, version, tools))) return { again: true }
  await begun.send?.()
  if (!begun.problem) return { again: true }
  return shown({ ...now, record: { ...record, version: version + 1 } }, tools, begun.problem)
}

/** The account as it is now, its epoch, and one more piece of evidence; the step that gave it is closed. */
function withEvidence(facts: Facts, met: Evidence, account: Account): Facts {
  const { step: _closed, ...record } = facts.record
  const evidence = [...record.evidence, met]
  return { ...facts, account, record: { ...record, accountId: account.id, epoch: account.epoch, evidence } }
}

const save = (record: FlowRecord, version: number, tools: Tools): Promise<boolean> =>
  tools.flows.save({ ...record, version: version + 1 }, version)

async function finish(facts: Facts, tools: Tools): Promise<Outcome> {
  const completed = await complete(facts, tools)
  if (isProblem(completed)) return restart(facts, facts.record.version, tools, completed)
  return { finished: completed }
}

/** "Not you?", or an account that changed under the flow. */
async function restart(facts: Facts, version: number, tools: Tools, problem?: Problem): Promise<Outcome> {
  if (version > 0) await tools.flows.remove(facts.record.id)
  if (facts.visit.journey !== 'login') return { anew: true, signOut: problem === undefined }
  return problem
    ? shown({ ...facts, record: fresh(facts.visit, facts.record.id, facts.now), account: undefined }, tools, problem)
    : { again: true }
}

async function cancel(facts: Facts, tools: Tools): Promise<Outcome> {
  const registering = facts.record.evidence.some(
    ({ kind, method }) => kind === 'acknowledged' && method === 'registration',
  )
  const kind = registering ? 'registration.cancelled' : 'sign-in.cancelled'
  facts.visit.beside(
    tools.audit.append([event(facts, tools, kind, facts.account ? { accountId: facts.account.id } : {})]),
  )
  return { cancelled: true }
}

/** What was typed as a name comes back with the page; a password never does. */
const typed = (facts: Facts, form: Form): Facts =>
  form['username'] === undefined
    ? facts
    : { ...facts, visit: { ...facts.visit, loginHint: form['username'].slice(0, 256) } }

/** The record has served: the answer is with the provider. */
export const close = async (visit: Visit, tools: Tools): Promise<void> =>
  tools.flows.remove(tools.digest(visit.interaction, 'flow'))

const same = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
