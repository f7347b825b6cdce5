// The one place that decides what a completed flow says about the user: `amr`, `acr`, `auth_time`, the known browser.
import { changed } from '../domain/accounts.ts'
import { isRegistered } from '../domain/policy.ts'
import { isProblem, type Problem } from '../domain/problems.ts'
import type { Account, Time } from '../domain/types.ts'
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
  return {
    ...(changedPassword && { change_password: 'done' as const }),
    ...(registering && { security_info_registration: registered ? ('done' as const) : ('skipped' as const) }),
  }
}

const BROWSERS = 10

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
  const second = facts.record.evidence.some(({ kind, amr }) => kind !== 'password' && amr.length > 0)
  const both = before.includes('mfa') || ((fresh || session !== undefined) && second)
  const all = [...new Set([...before, ...now])].filter((value) => value !== 'mfa')
  return both ? [...all, 'mfa'] : all
}

/** Completes the flow: ends what was counted in a row, makes the browser a known one, and tells the audit trail. */
export async function complete(facts: Facts, tools: Tools): Promise<SignedIn | Problem> {
  const account = facts.account as Account
  const amr = methodsProven(facts)
  const known = facts.visit.knownBrowser(account)
  const browser = known ?? tools.chance.random(16).toString('base64url')
  const signedIn = event(facts, tools, 'sign-in.completed', { accountId: account.id, detail: { amr } })
  facts.visit.beside(settle(facts.record, tools))
  const { language } = facts.visit
  if (known && account.language === language && thawed(facts, account) === account) {
    facts.visit.beside(tools.audit.append([signedIn]))
  } else {
    const written = await tools.accounts.change(account, (fresh) => {
      if (fresh.epoch !== account.epoch) return { problem: 'account_changed' }
      const warm = thawed(facts, fresh)
      const browsers = known ? fresh.browsers : [browser, ...fresh.browsers].slice(0, BROWSERS)
      const thaw = warm === fresh ? [] : [event(facts, tools, 'account.thawed', { accountId: fresh.id })]
      return changed({ ...warm, browsers, language }, signedIn, ...thaw)
    })
    if (isProblem(written)) return written
  }
  const password = evidenceOf(facts.record, 'password')
  return {
    accountId: account.id,
    epoch: account.epoch,
    acr: amr.includes('mfa') ? acr.multiFactor : acr.password,
    amr,
    authTime: password?.at ?? ownSession(facts)?.loginAt ?? facts.now,
    browser,
    settled: settledBy(facts),
  }
}
