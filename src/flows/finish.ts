// The one place that decides what a completed flow says about the user: `amr`, `acr`, `auth_time`, the known browser.
import { changed } from '../domain/accounts.ts'
import { isRegistered } from '../domain/policy.ts'
import { isProblem, type Problem } from '../domain/problems.ts'
import type { Account, AuditEvent, Time } from '../domain/types.ts'
import { policyOf } from './demand.ts'
import type { Facts, Tools } from './flow.ts'
import { event, evidenceOf, ownSession } from './flow.ts'
import { thawed } from './freeze.ts'
import { settle } from './guess.ts'

/** Authentication context class references, as they stand in tokens and in `acr_values`. */
export const acr = {
  password: 'urn:oidc-self-service:acr:pwd',
  multiFactor: 'urn:oidc-self-service:acr:mfa',
} as const

/** What is answered to the provider as `login`. */
export interface SignedIn {
  accountId: string
  epoch: number
  acr: string
  /** RFC 8176. */
  amr: string[]
  /** When the password was proven: `auth_time`. A second factor alone does not move it (EN-13). */
  authTime: Time
  /** That is the session's, whose age may have been judged before this flow began. */
  carried: boolean
  /** To be remembered by a signed cookie, so that others' wrong guesses do not lock this browser out. */
  browser: string
  /** Prompts of ours that this flow settled for the account, whichever of them began it. */
  settled: Readonly<Record<string, ActionStatus>>
}

/** What a relying party reads of an action that it asked for. `skipped`: the user put it off; cancelled is `access_denied`. */
export type ActionStatus = 'done' | 'skipped'

/** Judged by what the account and the evidence say, not by which pages were seen: a status is earned. */
function settledBy(facts: Facts): Record<string, ActionStatus> {
  const { record, visit, methods, account } = facts
  const changedPassword = evidenceOf(record, 'new-password') !== undefined
  const registering = record.journey === 'security_info_registration' || visit.demands.includes('registration')
  const registered = account !== undefined && isRegistered(methods, policyOf(facts), account)
  const putOff = evidenceOf(record, 'skipped') !== undefined
  return {
    ...(changedPassword && { change_password: 'done' as const }),
    ...(registering && registered && { security_info_registration: 'done' as const }),
    // Put off by its user, never by a flow that did not ask.
    ...(registering && !registered && putOff && { security_info_registration: 'skipped' as const }),
  }
}

const BROWSERS = 10

const secondShown = ({ record }: Facts): boolean =>
  record.evidence.some(({ kind, amr }) => kind !== 'password' && amr.length > 0)

/** A factor that only the session showed stays as old as it is: a password typed again moves no `auth_time` (CH-1). */
const carriesFactor = (facts: Facts): boolean =>
  facts.record.journey === 'change_password' && ownSession(facts)?.amr.includes('mfa') === true && !secondShown(facts)

/**
 * `mfa` only when two factors of different kinds were proven now; a mailed code is none (NIST SP 800-63B-4 3.1.3.1). Judged by
 * evidence: a session that a host's own sign-in page made stands for the first factor, whatever that page called it.
 */
function methodsProven(facts: Facts): string[] {
  const session = ownSession(facts)
  const fresh = evidenceOf(facts.record, 'password') !== undefined
  // A step-up, or a change of password, adds to what the session proved; a new sign-in starts from nothing.
  const before = session && (!fresh || facts.record.journey === 'change_password') ? session.amr : []
  const now = facts.record.evidence.flatMap((evidence) => [...evidence.amr])
  const second = secondShown(facts)
  const both = before.includes('mfa') || ((fresh || session !== undefined) && second)
  const all = [...new Set([...before, ...now])].filter((value) => value !== 'mfa')
  return both ? [...all, 'mfa'] : all
}

/** An id of this very flow: the same however often its end is written, also by a repeat after a crash. */
const ofFlow = ({ record }: Facts, tools: Tools, what: 'signed-in' | 'browser'): string =>
  tools.digest(`${record.id}:${record.startedAt}:${record.journey}`, what).slice(-32)

const browserOf = (facts: Facts, tools: Tools, account: Account): string =>
  facts.visit.knownBrowser(account) ?? ofFlow(facts, tools, 'browser')

/**
 * What the end of a sign-in makes of the account: a known browser, its language, and no freeze any more. Pure, so that the
 * write of the last proof can hold it. The account is the same where there is nothing to write.
 */
export function ended(facts: Facts, tools: Tools, account: Account): { account: Account; events: AuditEvent[] } {
  const about = { accountId: account.id }
  const detail = { amr: methodsProven({ ...facts, account }) }
  const signedIn = event(facts, tools, 'sign-in.completed', { ...about, id: ofFlow(facts, tools, 'signed-in'), detail })
  const browser = browserOf(facts, tools, account)
  const known = account.browsers.includes(browser)
  const warm = thawed(facts, account)
  const { language } = facts.visit
  if (known && account.language === language && warm === account) return { account, events: [signedIn] }
  const browsers = known ? account.browsers : [browser, ...account.browsers].slice(0, BROWSERS)
  const thaw = warm === account ? [] : [event(facts, tools, 'account.thawed', about)]
  return { account: { ...warm, browsers, language }, events: [signedIn, ...thaw] }
}

/** Writes the end of a sign-in, unless the write of its last proof held it. */
async function told(facts: Facts, tools: Tools, account: Account): Promise<Problem | undefined> {
  const id = ofFlow(facts, tools, 'signed-in')
  if (account.outbox.some((one) => one.id === id)) return undefined
  const end = ended(facts, tools, account)
  if (end.account === account) {
    facts.visit.beside(tools.audit.append(end.events))
    return undefined
  }
  const written = await tools.accounts.change(account, (fresh) => {
    if (fresh.epoch !== account.epoch) return { problem: 'account_changed' }
    const { account: next, events } = ended(facts, tools, fresh)
    return changed(next, ...events)
  })
  return isProblem(written) ? written : undefined
}

/** Completes the flow: ends what was counted in a row, makes the browser a known one, and tells the audit trail. */
export async function complete(facts: Facts, tools: Tools): Promise<SignedIn | Problem> {
  const account = facts.account as Account
  const amr = methodsProven(facts)
  facts.visit.beside(settle(facts.record, tools))
  const problem = await told(facts, tools, account)
  if (problem) return problem
  const password = evidenceOf(facts.record, 'password')
  const since = ownSession(facts)?.loginAt
  const proven = carriesFactor(facts) ? undefined : password?.at
  return {
    accountId: account.id,
    epoch: account.epoch,
    acr: amr.includes('mfa') ? acr.multiFactor : acr.password,
    amr,
    authTime: proven ?? since ?? facts.now,
    carried: proven === undefined,
    browser: browserOf(facts, tools, account),
    settled: settledBy(facts),
  }
}
