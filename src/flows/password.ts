// Requirement: the password, of somebody who types a name or of somebody who is signed in already.
import { budgets } from '../domain/budget.ts'
import { changed } from '../domain/accounts.ts'
import { isProblem } from '../domain/problems.ts'
import type { Account, Form } from '../domain/types.ts'
import type { Answer, Facts, Requirement, Tools } from './flow.ts'
import { event, evidenceOf } from './flow.ts'
import { type Guess, guarded } from './guess.ts'
import { mayReset } from './reset-subject.ts'

/** Longer ones belong to nobody: no account has such a name, no password may be so long. */
const LONGEST = { username: 256, password: 1024 }

/** Judges a name and a password. An unknown name takes the same steps, costs the same hash and gets the same answer. */
async function judge(facts: Facts, tools: Tools, account: Account | undefined, username: string, password: string) {
  const whose = account?.id ?? `?${tools.digest(tools.usernameKey(username), 'unknown')}`
  // Bound to the present hash: what was tried against an earlier password is forgotten with it.
  const id = tools
    .digest(password.normalize('NFC'), `repeat:${whose}:${account?.password?.changedAt ?? 0}`)
    .slice(0, 32)
  const known = account && facts.visit.knownBrowser(account)
  const budget = account ? budgets.password : budgets.passwordUnknownName
  const unknown: Guess = { key: `password:${whose}`, budget, refused: 'too_many_passwords', id }
  const own: Guess = known
    ? { ...unknown, key: `password:${whose}:${known}`, budget: budgets.passwordKnownBrowser }
    : unknown
  const compare = (guess: Guess) =>
    guarded(facts, tools, [guess], async ({ inRow: [inRow] }) => {
      const verdict = await verify(tools, account, password)
      // A disabled account's right password counts as a wrong one: an open budget would tell that it is right (EM-1).
      const right = verdict.ok && account?.disabled !== true
      if (!right && guess === unknown && inRow === budget.streak.limit) locked(facts, tools, account)
      return { right, result: { ...verdict, counted: [...new Set([own, unknown])].map(({ key }) => key) } }
    })
  const result = await compare(own)
  // A known browser that spent its own budget is an unknown one again.
  if (known && isProblem(result) && result.problem === 'too_many_passwords') return compare(unknown)
  return result
}

/**
 * The guess that spends the last of the budget closes the account, and the owner hears of it: what is refused from here on
 * writes nothing more. A name that nobody has costs a write as well (EM-4); mails leave after the response (EM-3).
 */
function locked(facts: Facts, tools: Tools, account: Account | undefined): void {
  const about = account ? { accountId: account.id } : {}
  const closed = event(facts, tools, 'sign-in.locked', { ...about, reason: 'too_many_passwords' })
  const told = account && !account.disabled
  facts.visit.beside(
    told ? tools.accounts.change(account, (fresh) => changed(fresh, closed)) : tools.audit.append([closed]),
  )
}

async function verify(tools: Tools, account: Account | undefined, password: string) {
  if (!tools.directory) return tools.passwords.verify(password, account?.password?.hash)
  if (account) return { ok: await tools.directory.verify(account.id, password), renew: false }
  await tools.passwords.dummy(password)
  return { ok: false, renew: false }
}

/**
 * With the right password at hand: imported and outdated hashes are renewed, and one that is on the list of common ones is
 * marked to be changed now. A hash that changed meanwhile is left alone.
 */
async function looked(
  facts: Facts,
  tools: Tools,
  account: Account,
  { password, renew }: { password: string; renew: boolean },
): Promise<Account> {
  const judged = account.password
  const common = judged?.mustChange === undefined && tools.screen.compromised(password)
  if (!judged || !(renew || common)) return account
  const hash = renew ? await tools.passwords.hash(password) : judged.hash
  const result = await tools.accounts.change(account, (fresh) => {
    if (fresh.password?.hash !== judged.hash) return { problem: 'account_changed' }
    const mark = common ? { mustChange: 'compromised' as const } : {}
    const events = [
      ...(renew ? [event(facts, tools, 'password.rehashed', { accountId: fresh.id })] : []),
      ...(common ? [event(facts, tools, 'password.flagged', { accountId: fresh.id, reason: 'compromised' })] : []),
    ]
    return changed({ ...fresh, password: { ...fresh.password, hash, ...mark } }, ...events)
  })
  return isProblem(result) ? account : result
}

async function answer(facts: Facts, form: Form, tools: Tools): Promise<Answer> {
  const fixed = facts.account
  const username = fixed?.username ?? (form['username'] ?? '').trim()
  const password = form['password'] ?? ''
  if (username === '') return { problem: 'username_missing' }
  if (password === '') return { problem: 'password_missing' }
  if (username.length > LONGEST.username || password.length > LONGEST.password) {
    return { problem: 'wrong_password' }
  }
  const account = fixed ?? (await tools.accounts.findByUsername(username))
  const about = account ? { accountId: account.id } : {}
  const result = await judge(facts, tools, account, username, password)
  if (isProblem(result)) return result
  if (!result.ok || !account || account.disabled) {
    // A disabled account is told apart by nothing, not even with the right password (EM-1).
    const reason = account?.disabled && result.ok ? 'account_disabled' : 'wrong_password'
    facts.visit.beside(
      tools.audit.append([event(facts, tools, 'sign-in.password', { ...about, outcome: 'failure', reason })]),
    )
    return { problem: 'wrong_password' }
  }
  const now = await looked(facts, tools, account, { password, renew: result.renew })
  return {
    met: {
      kind: 'password',
      method: 'password',
      amr: ['pwd'],
      counted: result.counted,
      turn: facts.record.turn,
      at: facts.now,
    },
    account: now,
  }
}

/** At sign-in: nobody is known yet, a name and a password are asked for on one page. */
export const signedIn: Requirement = {
  name: 'sign-in',
  met: ({ record, account }) => account !== undefined && evidenceOf(record, 'password') !== undefined,
  page: ({ visit, policy }, tools) => ({
    name: 'sign-in',
    forgot: mayReset(policy, tools),
    ...(visit.loginHint !== undefined && { username: visit.loginHint }),
  }),
  answer: (facts, form, tools) => answer({ ...facts, account: undefined }, form, tools),
}

/** In a session: the password again, so that a browser left open changes nothing (NIST SP 800-63B-4 4.1.2.1). */
export const passwordAgain: Requirement = {
  name: 'password',
  met: ({ record }) => evidenceOf(record, 'password') !== undefined,
  page: ({ account }) => ({ name: 'password', username: account?.username ?? '' }),
  answer,
}
