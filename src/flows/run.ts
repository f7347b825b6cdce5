// The runner: shows the page of the first requirement that is not met, takes its form, and goes on until all are met.
import type { Policy } from '../domain/policy.ts'
import { isProblem, type Problem, type ProblemCode } from '../domain/problems.ts'
import type { Account, Evidence, FlowRecord, Form, Step } from '../domain/types.ts'
import { complete, type SignedIn } from './finish.ts'
import { type Ends, event, type Facts, type Journey, type Requirement, type Tools, type Visit } from './flow.ts'
import { journeyOf } from './journeys.ts'
import type { Page, Shown } from './pages.ts'
import { askedBy, fresh, idOf, open, RESET, save, tokenOf } from './record.ts'
import { mayReset } from './reset-subject.ts'
import { repeated, tagOf } from './second-factor.ts'

export type Outcome =
  | { shown: Shown }
  /** This flow cannot go on; with the token, the page can lead back to the relying party. */
  | { over: ProblemCode; step?: string }
  /** The form was accepted, or is not of this turn: the same address shows where things stand. */
  | { again: true }
  /** The session behind the request is gone or unwanted: the provider has to begin anew with the same request. */
  | { anew: true; signOut: boolean }
  /** `unmet`: not the user's will, but what the request demands could not be met. */
  | { cancelled: true; unmet: boolean }
  | { finished: SignedIn }
  /** Done, with nobody signed in: the provider goes on to its next prompt. */
  | { passed: true; accountId: string | undefined }

const journeyFor = ({ record }: Facts): Journey | undefined => journeyOf(record.journey)

const firstUnmet = (facts: Facts): Requirement | undefined =>
  journeyFor(facts)?.requirements.find((one) => !one.met(facts))

/** Somebody is signed in by what was proven so far. */
const ends: Ends = (facts) => journeyFor(facts)?.signsIn === true && !firstUnmet(facts)

/** A session flow whose account is gone: only the provider can tell what comes next. */
const orphaned = (facts: Facts): boolean => journeyFor(facts)?.ofSession === true && !facts.account

const stepOf = (facts: Facts, tools: Tools): string =>
  tokenOf(facts, { turn: facts.record.turn, requirement: firstUnmet(facts)?.name ?? 'finish' }, tools)

const stopped = (facts: Facts, over: ProblemCode, tools: Tools): Outcome => ({ over, step: stepOf(facts, tools) })

function shown(facts: Facts, tools: Tools, problem?: Problem): Outcome {
  const requirement = firstUnmet(facts)
  const page: Page | { over: ProblemCode } = requirement?.page(facts, tools) ?? { name: 'message', message: 'continue' }
  if ('over' in page) return stopped(facts, page.over, tools)
  // A reset shows what was typed, never what it led to.
  const username = facts.record.journey === RESET ? undefined : facts.account?.username
  return {
    shown: {
      page,
      ...(problem && { problem }),
      step: stepOf(facts, tools),
      ...(username !== undefined && { username }),
      client: facts.visit.client.name,
      // What is registered stays so: there is nothing to take back any more.
      cancel: page.name !== 'registered' && page.name !== 'changed',
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

/** Takes one form. */
export async function submit(visit: Visit, form: Form, policy: Policy, tools: Tools): Promise<Outcome> {
  const { facts, version } = await open(visit, policy, tools)
  const asked = askedBy(facts, form['step'], tools)
  if (asked === undefined) return { over: 'foreign_origin' }
  if (orphaned(facts)) return { anew: true, signOut: false }
  // `leave` is offered by a page that cannot go on; whoever sends it elsewhere only cancels.
  if (form['action'] === 'cancel' || form['action'] === 'leave')
    return cancel(facts, version, tools, form['action'] === 'leave' && visit.demands.includes('mfa'))
  if (form['action'] === 'restart') return restart(facts, version, tools)
  if (asked.turn !== facts.record.turn) return { again: true }
  if (form['action'] === 'forgot' && visit.journey === 'login' && mayReset(policy, tools))
    return forgot(facts, version, tools)
  const requirement = firstUnmet(facts)
  if (!requirement) return finish(facts, tools)
  const before = facts.account && repeated(facts.account, tagOf(facts, form, tools))
  // The account changed under the page, on another device or in another tab: this form answers what is asked no more.
  if (!before && asked.requirement !== requirement.name) return { again: true }
  const answered = before ?? (await requirement.answer(facts, form, tools, ends))
  if ('over' in answered) return stopped(facts, answered.over, tools)
  if ('restart' in answered) return restart(facts, version, tools, { problem: answered.restart })
  if ('met' in answered) return proceed(withEvidence(facts, answered), version, tools)
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
  if (!next) {
    // Saved first where somebody is signed in: of many forms at once only one ends the flow. What signs nobody in may end twice.
    const won = !journeyFor(now)?.signsIn || (await save(now.record, version, tools))
    return won ? finish(now, tools) : { again: true }
  }
  const begun = await next.begin?.(now, tools)
  if (begun && 'met' in begun) return proceed(withEvidence(facts, begun), version, tools)
  if (!begun || 'over' in begun) {
    await save(now.record, version, tools)
    return begun ? stopped(now, begun.over, tools) : { again: true }
  }
  const record = { ...now.record, step: begun.step }
  if (!(await save(record, version, tools))) return { again: true }
  await begun.send?.()
  if (!begun.problem) return { again: true }
  return shown({ ...now, record: { ...record, version: version + 1 } }, tools, begun.problem)
}

/** The account as it is now, its epoch, and one more piece of evidence; the step that gave it is closed. */
function withEvidence(
  facts: Facts,
  { met, account, note }: { met: Evidence; account: Account | undefined; note?: Pick<FlowRecord, 'named' | 'goal'> },
): Facts {
  const { step: _closed, ...record } = facts.record
  const whose = account ? { accountId: account.id, epoch: account.epoch } : {}
  return { ...facts, account, record: { ...record, ...note, ...whose, evidence: [...record.evidence, met] } }
}

async function finish(facts: Facts, tools: Tools): Promise<Outcome> {
  if (!journeyFor(facts)?.signsIn) return { passed: true, accountId: facts.account?.id }
  const completed = await complete(facts, tools)
  if (isProblem(completed)) return restart(facts, facts.record.version, tools, completed)
  return { finished: completed }
}

/** "Forgot password?" on the sign-in page: the same request, another flow. */
async function forgot(facts: Facts, version: number, tools: Tools): Promise<Outcome> {
  const turn = facts.record.turn + 1
  await save({ ...fresh(RESET, facts.record.id, facts.now), turn }, version, tools)
  return { again: true }
}

/** "Not you?", or an account that changed under the flow. */
async function restart(facts: Facts, version: number, tools: Tools, problem?: Problem): Promise<Outcome> {
  if (version > 0) await tools.flows.remove(facts.record.id)
  if (journeyOf(facts.visit.journey)?.ofSession) return { anew: true, signOut: problem === undefined }
  if (!problem) return { again: true }
  const record = fresh(facts.visit.journey, facts.record.id, facts.now)
  return shown({ ...facts, record, account: undefined }, tools, problem)
}

async function cancel(facts: Facts, version: number, tools: Tools, unmet: boolean): Promise<Outcome> {
  // Out of a reset within a sign-in the way leads back to the sign-in, not to the relying party.
  if (facts.record.journey !== facts.visit.journey) return restart(facts, version, tools)
  const registering = facts.record.evidence.some(
    ({ kind, method }) => kind === 'acknowledged' && method === 'registration',
  )
  const kind = registering ? 'registration.cancelled' : 'sign-in.cancelled'
  facts.visit.beside(
    tools.audit.append([event(facts, tools, kind, facts.account ? { accountId: facts.account.id } : {})]),
  )
  return { cancelled: true, unmet }
}

/** What was typed as a name comes back with the page; a password never does. */
const typed = (facts: Facts, form: Form): Facts =>
  form['username'] === undefined
    ? facts
    : { ...facts, visit: { ...facts.visit, loginHint: form['username'].slice(0, 256) } }

/** The record has served: the answer is with the provider. */
export const close = async (visit: Visit, tools: Tools): Promise<void> =>
  tools.flows.remove(idOf(visit.interaction, tools))
