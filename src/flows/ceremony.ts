// Runs a method's ceremony inside a requirement: begin, view, choose another, send again, answer.
import { changed } from '../domain/accounts.ts'
import { budgets } from '../domain/budget.ts'
import { isProblem, type Problem, type ProblemCode } from '../domain/problems.ts'
import type { Vault } from '../domain/seal.ts'
import type { Account, Form, Step } from '../domain/types.ts'
import type { AnyCeremony, Limit, Method, Turn, ViewModel } from '../methods/method.ts'
import type { Facts, Tools } from './flow.ts'
import { event } from './flow.ts'
import { type Admitted, guarded } from './guess.ts'

/** A requirement that is met by one of several methods. */
export interface Act<Result> {
  requirement: string
  purpose: Turn['purpose']
  account: Account
  /** Strongest first. */
  methods: readonly Method[]
  ceremony(method: Method): AnyCeremony<Result>
}

const field = (act: Pick<Act<unknown>, 'requirement'>, method: Method, facts: Facts): string =>
  `flow:${facts.record.id}:${act.requirement}:${method.id}`

function turnOf<Result>({ account, purpose }: Act<Result>, method: Method, facts: Facts, tools: Tools): Turn {
  return {
    account,
    purpose,
    credentials: account.credentials.filter((credential) => credential.method === method.id),
    flow: facts.record.id,
    service: tools.service,
    vault: tools.vault(account.id),
    chance: tools.chance,
  }
}

/** What the open step remembers for this method; another requirement's memory is not ours to read. */
function kept<Result>(act: Act<Result>, method: Method, facts: Facts, vault: Vault): unknown {
  const { step } = facts.record
  if (step?.requirement !== act.requirement || step.method !== method.id || step.sealed === undefined) return undefined
  return JSON.parse(vault.open(step.sealed, field(act, method, facts))) as unknown
}

/** The method of the open step, when it is one of this act. */
export function current<Result>(act: Act<Result>, facts: Facts): Method | undefined {
  const { step } = facts.record
  if (step?.requirement !== act.requirement || step.choosing) return undefined
  return act.methods.find((method) => method.id === step.method)
}

export interface Started {
  step: Step
  problem?: Problem
  send?: () => Promise<void>
}

/** Begins a method: remembers what it must and queues its letter, if the budget of mails allows one. */
export async function begin<Result>(act: Act<Result>, method: Method, facts: Facts, tools: Tools): Promise<Started> {
  const ceremony = act.ceremony(method)
  const turn = turnOf(act, method, facts, tools)
  const at = field(act, method, facts)
  const bare: Step = { requirement: act.requirement, method: method.id }
  const open = facts.record.step
  const same = open?.requirement === act.requirement && open.method === method.id
  if (!ceremony.begin) return { step: bare }
  const begun = await ceremony.begin(turn, kept(act, method, facts, turn.vault))
  if (isProblem(begun)) return { step: same ? open : { ...bare, choosing: true }, problem: begun }
  const step: Step = { ...bare, sealed: turn.vault.seal(JSON.stringify(begun.keep), at) }
  if (!begun.send) return { step }
  const letter = tools.chance.random(9).toString('base64url')
  const key = `${act.purpose === 'recovery' ? 'reset-mails' : 'mails'}:${whose(act, facts)}`
  const admission = await tools.budgets.admit(key, budgets.mails, facts.now, letter)
  if (!admission.admitted) {
    const problem: Problem = {
      problem: 'too_many_mails',
      ...(admission.until !== undefined && { until: admission.until }),
    }
    return { step: same ? open : { ...bare, choosing: true }, problem }
  }
  const { send } = begun
  const detail = { template: send.template }
  return {
    step,
    send: async () => {
      const asked = event(facts, tools, 'mail.requested', { accountId: act.account.id, detail })
      await Promise.all([tools.post(send, facts.visit.language, letter), tools.audit.append([asked])])
    },
  }
}

/** What the page of the open step shows; a method without anything to remember can be shown before it was begun. */
export function view<Result>(act: Act<Result>, method: Method, facts: Facts, tools: Tools): ViewModel | undefined {
  const ceremony = act.ceremony(method)
  const turn = turnOf(act, method, facts, tools)
  const keep = kept(act, method, facts, turn.vault)
  return ceremony.begin && keep === undefined ? undefined : ceremony.view(keep, turn)
}

export type Answered<Result> =
  /** `counted`: budgets whose count in a row ends when the flow is complete. */
  { result: Result; method: Method; counted: readonly string[] } | Started | Problem

/** One form of the act: another method, send again, or an answer that is admitted first and judged then. */
export async function answer<Result extends object>(
  act: Act<Result>,
  form: Form,
  facts: Facts,
  tools: Tools,
): Promise<Answered<Result>> {
  if (form['method'] !== undefined) {
    const chosen = act.methods.find((method) => method.id === form['method'])
    if (!chosen) return { problem: 'method_unavailable' }
    return begin(act, chosen, facts, tools)
  }
  if (form['action'] === 'other_method') {
    return { step: { ...facts.record.step, requirement: act.requirement, choosing: true } }
  }
  const method = current(act, facts) ?? (facts.record.step?.choosing ? undefined : act.methods[0])
  if (!method) return { problem: 'method_unavailable' }
  if (form['action'] === 'resend') return begin(act, method, facts, tools)
  const ceremony = act.ceremony(method)
  const turn = turnOf(act, method, facts, tools)
  const at = field(act, method, facts)
  const keep = kept(act, method, facts, turn.vault)
  if (ceremony.begin && keep === undefined) return begin(act, method, facts, tools)
  const limits = ceremony.limits?.(keep, turn) ?? []
  // An empty field is no guess.
  if (limits.length > 0 && (form['code'] ?? '').trim() === '') return { problem: 'code_missing' }
  const guesses = limits.map(guessOf(act, facts))
  const judge = async (admitted: Admitted) => {
    const answered = await ceremony.answer(keep, form, turn)
    const wrong = isProblem(answered)
    if (wrong) await exhausted(act.account, limits, admitted, facts, tools)
    return { right: !wrong, result: wrong ? { failed: answered } : { result: answered } }
  }
  // What guesses at no secret of ours (the seed is in the user's hands) is counted nowhere.
  const judged = limits.length > 0 ? await guarded(facts, tools, guesses, judge) : (await judge({ inRow: [] })).result
  if (isProblem(judged)) return judged
  if ('result' in judged) {
    const counted = guesses.filter(({ budget }) => budget.streak).map(({ key }) => key)
    return { result: judged.result, method, counted }
  }
  const { keep: next, ...problem } = judged.failed
  if (next === undefined) return problem
  const sealed = turn.vault.seal(JSON.stringify(next), at)
  return { step: { requirement: act.requirement, method: method.id, sealed }, problem }
}

/**
 * Whose budget it is. Somebody who knows a name alone must not close the owner's (TH-3): a known browser has its own, and
 * so has a flow that passed a gate, because whoever did is no stranger.
 */
function whose<Result>({ account, purpose }: Act<Result>, facts: Facts): string {
  if (purpose !== 'recovery') return account.id
  const browser = facts.visit.knownBrowser(account)
  const proven = facts.record.evidence.some(({ kind }) => kind === 'gate')
  return [account.id, ...(browser === undefined ? [] : [browser]), ...(proven ? ['proven'] : [])].join(':')
}

const guessOf =
  <Result>(act: Act<Result>, facts: Facts) =>
  (limit: Limit): { key: string; budget: Limit['budget']; refused: ProblemCode } => ({
    key: `${limit.key}:${whose(act, facts)}${limit.perSource ? `:${facts.visit.address}` : ''}`,
    budget: limit.budget,
    refused: limit.refused,
  })

/** The count in a row is spent: the authenticator is disabled, and still counts as a factor (NIST SP 800-63B-4 3.2.2). */
async function exhausted(account: Account, limits: readonly Limit[], { inRow }: Admitted, facts: Facts, tools: Tools) {
  for (const [index, limit] of limits.entries()) {
    const close = limit.exhausted
    const spent = limit.budget.streak !== undefined && (inRow[index] ?? 0) >= limit.budget.streak.limit
    if (!close || !spent) continue
    const disabled = event(facts, tools, 'credential.disabled', { accountId: account.id, reason: limit.refused })
    await tools.accounts.change(account, (fresh) => changed(close(fresh), disabled))
  }
}
