// The one door to a new password: judged, hashed, and written together with the epoch that ends everything older.
import { changed } from '../domain/accounts.ts'
import { factors } from '../domain/policy.ts'
import { isProblem, type Problem } from '../domain/problems.ts'
import type { Account, Evidence, EventKind, Form } from '../domain/types.ts'
import type { Answer, Ends, Facts, Requirement, Tools } from './flow.ts'
import { ended } from './finish.ts'
import { event, evidenceOf } from './flow.ts'
import { frozen, thawed } from './freeze.ts'
import { clearWaits } from './guess.ts'
import { standing } from './reset-subject.ts'
import { proved, tagOf } from './second-factor.ts'

export type Why = 'reset' | 'activation' | 'change' | 'temporary' | 'flagged' | 'compromised'

const kinds: Record<Why, EventKind> = {
  reset: 'password.reset',
  activation: 'password.activated',
  change: 'password.changed',
  temporary: 'password.changed',
  flagged: 'password.changed',
  compromised: 'password.changed',
}

/** 15 where the password stands alone, 8 where a second factor is enforced (NIST SP 800-63B-4 3.1.1.2). */
const leastFor = (facts: Facts, account: Account): 8 | 15 => (factors(facts.methods, account).length > 0 ? 8 : 15)

/** The same current password proves nothing new; with a directory only the directory can tell. */
async function isCurrent(account: Account, password: string, tools: Tools): Promise<boolean> {
  if (tools.directory) return tools.directory.verify(account.id, password)
  return account.password !== undefined && (await tools.passwords.verify(password, account.password.hash)).ok
}

async function judged(facts: Facts, form: Form, account: Account, tools: Tools): Promise<string | Problem> {
  const password = form['new_password'] ?? ''
  if (password === '') return { problem: 'new_password_missing' }
  if (password.normalize('NFC') !== (form['confirm_password'] ?? '').normalize('NFC'))
    return { problem: 'password_mismatch' }
  const { username, name, email } = account
  const about = {
    least: leastFor(facts, account),
    username,
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
  }
  const broken = await tools.screen.judge(password, about)
  if (broken) return { problem: broken }
  return (await isCurrent(account, password, tools)) ? { problem: 'password_same' } : password
}

/** Password, epoch, freeze and activation change in one write, or not at all (DB-1). */
export async function choosePassword(facts: Facts, form: Form, why: Why, tools: Tools, ends: Ends): Promise<Answer> {
  const account = facts.account as Account
  if (frozen(facts, account)) return { over: 'changes_frozen' }
  if (tools.directory && !tools.directory.setPassword) return { over: 'not_found' }
  const password = await judged(facts, form, account, tools)
  if (typeof password !== 'string') return password
  const tag = tagOf(facts, form, tools)
  const met: Evidence = { kind: 'new-password', method: why, amr: [], turn: facts.record.turn, at: facts.now }
  // Before the password is written, so that nothing is left to do for it after that; whoever came here proved as much (DB-1).
  const cleared = clearWaits(account, tools)
  const [hash] = await Promise.all([tools.directory ? undefined : tools.passwords.hash(password), cleared])
  let twin: Account | undefined
  const written = await tools.accounts.change(account, (fresh) => {
    if (fresh.spent?.tag === tag) twin = fresh
    // Hashed before this write: what it was judged against must still stand (RS-4).
    if (fresh.epoch !== account.epoch || fresh.password?.hash !== account.password?.hash)
      return { problem: 'account_changed' }
    if (fresh.disabled) return { problem: 'account_changed' }
    const { activation: _used, password: _old, ...rest } = thawed(facts, fresh)
    const next: Account = {
      ...rest,
      epoch: fresh.epoch + 1,
      browsers: [],
      // With a directory it is not true yet.
      spent: { tag, at: facts.now, ...(!tools.directory && { evidence: met }) },
      ...(hash !== undefined && { password: { hash, changedAt: facts.now } }),
    }
    const detail = { language: facts.visit.language }
    const chose = event(facts, tools, kinds[why], { accountId: fresh.id, detail })
    const then = proved(facts, next, met)
    const end = !tools.directory && ends(then) ? ended(then, tools, next) : { account: next, events: [] }
    return changed(end.account, chose, ...end.events)
  })
  if (isProblem(written)) {
    // A double click: the same form of the same turn chose this very password a moment ago.
    return twin && (await isCurrent(twin, password, tools)) ? { met, account: twin } : written
  }
  // The directory's own write comes second: if it fails, the old password stands and everything is signed out.
  if (!tools.directory?.setPassword) return { met, account: written }
  await tools.directory.setPassword(account.id, password)
  const marked = await tools.accounts.change(written, (fresh) =>
    fresh.spent?.tag === tag
      ? changed({ ...fresh, spent: { ...fresh.spent, evidence: met } })
      : { problem: 'account_changed' },
  )
  return { met, account: isProblem(marked) ? written : marked }
}

const page = (facts: Facts, why: Why) => {
  const account = facts.account as Account
  return { name: 'new-password', why, username: account.username, least: leastFor(facts, account) } as const
}

const chosen = (facts: Facts): boolean => evidenceOf(facts.record, 'new-password') !== undefined

const resetWhy = (facts: Facts): Why => (standing(facts).activation ? 'activation' : 'reset')

/** The last step of a reset. */
export const newPassword: Requirement = {
  name: 'new-password',
  met: (facts) => facts.record.goal === 'unlock' || chosen(facts),
  page: (facts) => page(facts, resetWhy(facts)),
  answer: (facts, form, tools, ends) => choosePassword(facts, form, resetWhy(facts), tools, ends),
}

/** A change that the user asked for. */
export const changedPassword: Requirement = {
  name: 'new-password',
  met: chosen,
  page: (facts) => page(facts, 'change'),
  answer: (facts, form, tools, ends) => choosePassword(facts, form, 'change', tools, ends),
}

/** Temporary, flagged by an administrator, or found on the list: no token before it is changed (CH-4). */
export const forcedPassword: Requirement = {
  name: 'forced-password',
  met: ({ account }) => account?.password?.mustChange === undefined,
  page: (facts) => page(facts, facts.account?.password?.mustChange ?? 'flagged'),
  answer: (facts, form, tools, ends) =>
    choosePassword(facts, form, facts.account?.password?.mustChange ?? 'flagged', tools, ends),
}

/** Said once, after the fact: what happened, and what comes next. */
export const told: Requirement = {
  name: 'changed',
  met: ({ record }) => record.evidence.some(({ kind, method }) => kind === 'acknowledged' && method === 'changed'),
  page(facts) {
    const how = evidenceOf(facts.record, 'new-password')?.method
    const what = how === 'activation' || how === 'change' || how === 'unlock' ? how : 'reset'
    return { name: 'changed', what, signIn: facts.record.journey === 'forgot_password' }
  },
  answer: async ({ record, now, account }) => ({
    met: { kind: 'acknowledged', method: 'changed', amr: [], turn: record.turn, at: now },
    account,
  }),
}
