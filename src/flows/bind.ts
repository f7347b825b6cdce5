// Binds a credential that was tested: one write, judged on the account as it is, and a notice to its owner.
import { changed } from '../domain/accounts.ts'
import { factors, isRegistered } from '../domain/policy.ts'
import { isProblem } from '../domain/problems.ts'
import type { Account, Credential, Evidence } from '../domain/types.ts'
import type { Enrolled, Method } from '../methods/method.ts'
import { policyOf } from './demand.ts'
import type { Answer, Facts, Tools } from './flow.ts'
import { event } from './flow.ts'
import { frozen, thawed } from './freeze.ts'
import { repeated } from './second-factor.ts'

/** Writes the new credential, if the account still is what it was judged to be. */
export async function bind(
  facts: Facts,
  tools: Tools,
  { method, result, tag, gate }: { method: Method; result: Enrolled; tag: string; gate: boolean },
): Promise<Answer> {
  const account = facts.account as Account
  const id = result.credential.id ?? tools.chance.random(16).toString('base64url')
  const credential: Credential = { ...result.credential, id, addedAt: facts.now }
  const evidence: Evidence = {
    kind: gate ? 'trust-gate' : 'enrolment',
    method: method.id,
    credential: id,
    ...(result.destination !== undefined && { destination: result.destination }),
    // Codes that were only shown prove nothing (OC-4); an authenticator was tested with a code of its own.
    amr: gate || !method.standalone ? [] : method.amr,
    turn: facts.record.turn,
    at: facts.now,
  }
  if (frozen(facts, account)) return { over: 'changes_frozen' }
  let again: Account | undefined
  const written = await tools.accounts.change(account, (fresh) => {
    if (fresh.epoch !== account.epoch) return { problem: 'account_changed' }
    if (fresh.spent?.tag === tag) again = fresh
    if (again) return { problem: 'account_changed' }
    // Somebody bound a factor meanwhile: this flow never proved it (EN-1, EN-9).
    if (factors(facts.methods, fresh).length > factors(facts.methods, account).length)
      return { problem: 'account_changed' }
    const own = fresh.credentials.filter((one) => one.method === method.id)
    if (own.length >= method.atMost) return { problem: 'too_many_credentials' }
    const spent = { tag, at: facts.now, evidence }
    const next = { ...thawed(facts, fresh), credentials: [...fresh.credentials, credential], spent }
    const about = { accountId: fresh.id, detail: { method: method.id, credential: id, label: credential.label } }
    // Nothing was mailed in this flow that would have warned the owner: the binding itself does (EN-10).
    const unheard = method.standalone && !facts.record.evidence.some(({ destination }) => destination !== undefined)
    const item = { ...about, detail: { ...about.detail, ...(unheard && { tell: true }) } }
    const events = [event(facts, tools, 'registration.item', item)]
    if (gate) events.unshift(event(facts, tools, 'trust-gate', about))
    if (isRegistered(facts.methods, policyOf(facts), next)) {
      const list = listed(facts, next)
      events.push(event(facts, tools, 'registration.completed', { accountId: fresh.id, detail: { list } }))
    }
    return changed(next, ...events)
  })
  if (isProblem(written)) return (again && repeated(again, tag)) ?? written
  return { met: evidence, account: written }
}

/** What this flow added, a line each, for the notice to the owner: `method<TAB>hint`. */
function listed(facts: Facts, account: Account): string {
  const added = new Set(facts.record.evidence.map(({ credential }) => credential))
  const fresh = account.credentials.filter(({ id, addedAt }) => added.has(id) || addedAt === facts.now)
  const line = (one: Credential): string =>
    `${one.method}\t${facts.methods.find(({ id }) => id === one.method)?.describe(one) ?? ''}`
  return fresh.map(line).join('\n')
}
