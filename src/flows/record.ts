// The record of a flow: opened for a visit, saved by compare-and-set, named in the form by a token.
import { timingSafeEqual } from 'node:crypto'
import type { Policy } from '../domain/policy.ts'
import type { Problem, ProblemCode } from '../domain/problems.ts'
import type { Account, FlowRecord } from '../domain/types.ts'
import { changedUnder, type Facts, type Tools, type Visit } from './flow.ts'
import { journeyOf } from './journeys.ts'
import { repeated, tagOf } from './second-factor.ts'

/** One flow lives this long; the authorization request behind it much longer. */
export const FLOW_LIFE = 15 * 60_000

export interface Opened {
  facts: Facts
  /** The version that a save must find; 0 when there is no record yet. */
  version: number
  notice?: Problem
}

export const fresh = (journey: string, id: string, now: number): FlowRecord => ({
  id,
  version: 0,
  journey,
  turn: 0,
  evidence: [],
  startedAt: now,
  expiresAt: now + FLOW_LIFE,
})

/** "Forgot password?" is a flow of its own within the same request for a sign-in. */
export const RESET = 'forgot_password'
const belongs = (record: FlowRecord, visit: Visit): boolean =>
  record.journey === visit.journey || (visit.journey === 'login' && record.journey === RESET)

/** What the page says of a flow that took too long; of one in which nothing was proven, nothing. */
function expired({ evidence, journey }: FlowRecord): ProblemCode | undefined {
  if (evidence.length === 0) return undefined
  const choosing = journey === RESET || journey === 'change_password'
  return choosing && !evidence.some(({ kind }) => kind === 'new-password') ? 'change_expired' : 'flow_expired'
}

/** Begins to read the record behind an interaction, while others find out whether this browser may use it. */
export function stored(interaction: string, tools: Tools): Promise<FlowRecord | undefined> {
  const record = tools.flows.find(idOf(interaction, tools))
  // Whoever uses it hears of its failure.
  record.catch(() => undefined)
  return record
}

export const idOf = (interaction: string, tools: Tools): string => tools.digest(interaction, 'flow')

/** The record as it may be used now. What expired, or belongs to another epoch of the account, starts from the beginning. */
export async function open(visit: Visit, policy: Policy, tools: Tools): Promise<Opened> {
  const now = tools.chance.now()
  const id = idOf(visit.interaction, tools)
  const record = await visit.flow
  const version = record?.version ?? 0
  const base = { visit, policy, methods: tools.methods, now }
  const ofSession = journeyOf(visit.journey)?.ofSession ? visit.session?.accountId : undefined
  const begin = async (problem?: ProblemCode): Promise<Opened> => {
    const account = ofSession === undefined ? undefined : await tools.accounts.find(ofSession)
    const facts = { ...base, record: fresh(visit.journey, id, now), account: account?.disabled ? undefined : account }
    return { facts, version, ...(problem && { notice: { problem } }) }
  }
  if (!record || !belongs(record, visit)) return begin()
  if (record.expiresAt <= now) return begin(expired(record))
  // Somebody else signed in here meanwhile: what was proven for one account says nothing about another (EN-12).
  if (ofSession !== undefined && record.accountId !== undefined && record.accountId !== ofSession) {
    return begin('account_changed')
  }
  const whose = record.accountId ?? ofSession
  const account = await behind(whose, record, tools)
  // A reset goes on as if nothing were: whoever holds a name alone must not learn what became of the account (EM-1).
  const hushed = record.journey === RESET
  const facts = caughtUp({ ...base, record, account }, tools)
  if (whose !== undefined && !hushed && changedUnder(facts.record, account)) return begin('account_changed')
  return { facts, version }
}

/**
 * The process died, or the store failed, between the write of a new password and the flow's own: the account says that
 * this form of this turn was taken, so the flow is where that write would have left it. Any later change ends it as ever.
 */
function caughtUp(facts: Facts, tools: Tools): Facts {
  const { record, account } = facts
  if (!account || record.epoch === undefined || account.epoch !== record.epoch + 1) return facts
  const taken = repeated(account, tagOf(facts, {}, tools))?.met
  if (taken?.kind !== 'new-password') return facts
  const { step: _closed, ...rest } = record
  const evidence = [...record.evidence, taken]
  return { ...facts, record: { ...rest, turn: record.turn + 1, epoch: account.epoch, evidence } }
}

/** A name that leads nowhere is looked for as often as one that does (EM-4). */
async function behind(whose: string | undefined, { named }: FlowRecord, tools: Tools): Promise<Account | undefined> {
  if (whose !== undefined) return tools.accounts.find(whose)
  return named === undefined ? undefined : tools.accounts.findByUsername(`?${named}`)
}

export const save = (record: FlowRecord, version: number, tools: Tools): Promise<boolean> =>
  tools.flows.save({ ...record, version: version + 1 }, version)

/** What a form was made for. */
export interface Asked {
  turn: number
  requirement: string
}

/** Names turn, requirement and, in its digest, browser (by its interaction); a form without it is refused (WB-1). */
export const tokenOf = ({ record }: Facts, { turn, requirement }: Asked, tools: Tools): string =>
  `${turn}.${requirement}.${tools.digest(`${record.id}:${turn}:${requirement}`, 'step')}`

const GENUINE = /^(\d{1,6})\.([a-z-]{1,40})\.[\w.-]{20,200}$/

/** Undefined when the token was not made by us for this flow. */
export function askedBy(facts: Facts, step: string | undefined, tools: Tools): Asked | undefined {
  const [, turned, requirement] = GENUINE.exec(step ?? '') ?? []
  if (step === undefined || turned === undefined || requirement === undefined) return undefined
  const asked = { turn: Number(turned), requirement }
  const [given, expected] = [Buffer.from(step), Buffer.from(tokenOf(facts, asked, tools))]
  return given.length === expected.length && timingSafeEqual(given, expected) ? asked : undefined
}
