// What relying parties may ask, as data: the requests, the users who meet them, and somebody who walks whatever pages come.
import type { ClientPolicy, Policy } from '../../src/domain/policy.ts'
import type { Account } from '../../src/domain/types.ts'
import { acr } from '../../src/flows/finish.ts'
import { totpCode } from '../authenticator.ts'
import type { Browser, Response } from '../browser.ts'
import { defaultPolicy, passwordOf, RP, type World } from '../world.ts'
import { enter, owner } from './owner.ts'

const essential = (...values: string[]): Record<string, string> => ({
  claims: JSON.stringify({ id_token: { acr: { essential: true, values } } }),
})

const prompts = ['change_password', 'forgot_password', 'security_info_registration']
const open: ClientPolicy = { prompts }

/** By the words of the README's table: the parameters, and what policy says of the client. */
export const requests: Record<string, { asks: Record<string, string>; client?: ClientPolicy }> = {
  '(nothing)': { asks: {} },
  '`prompt=none`': { asks: { prompt: 'none' } },
  '`prompt=none`, `silentWhileRecommended: false`': {
    asks: { prompt: 'none' },
    client: { prompts: [], silentWhileRecommended: false },
  },
  '`prompt=login`': { asks: { prompt: 'login' } },
  '`max_age=0`': { asks: { max_age: '0' } },
  '`max_age=0` `prompt=none`': { asks: { max_age: '0', prompt: 'none' } },
  '`acr_values=mfa`': { asks: { acr_values: acr.multiFactor } },
  '`acr_values=mfa` `prompt=none`': { asks: { acr_values: acr.multiFactor, prompt: 'none' } },
  '`acr_values=pwd`': { asks: { acr_values: acr.password } },
  '`acr_values=` unknown': { asks: { acr_values: 'urn:example:gold' } },
  'essential `acr` mfa': { asks: essential(acr.multiFactor) },
  'essential `acr` mfa, `acr_values=pwd`': { asks: { ...essential(acr.multiFactor), acr_values: acr.password } },
  'essential `acr` mfa, `prompt=none`': { asks: { ...essential(acr.multiFactor), prompt: 'none' } },
  'essential `acr` pwd': { asks: essential(acr.password) },
  'essential `acr` unknown': { asks: essential('urn:example:gold') },
  '(nothing), `mfa: required`': { asks: {}, client: { prompts: [], mfa: 'required' } },
  '`prompt=none`, `mfa: required`': { asks: { prompt: 'none' }, client: { prompts: [], mfa: 'required' } },
  '`prompt=change_password`': { asks: { prompt: 'change_password' }, client: open },
  '`prompt=forgot_password`': { asks: { prompt: 'forgot_password' }, client: open },
  '`prompt=security_info_registration`': { asks: { prompt: 'security_info_registration' }, client: open },
  '`prompt=change_password`, not in `prompts`': { asks: { prompt: 'change_password' } },
  '`prompt=none change_password`': { asks: { prompt: 'none change_password' }, client: open },
  '`prompt=security_info` (unknown)': { asks: { prompt: 'security_info' } },
}

interface State {
  methods: readonly ('totp' | 'email' | 'recovery-codes')[]
  /** How the session comes about: none, with the password alone (before policy or account asked for more), or with both. */
  session: 'none' | 'pwd' | 'mfa'
  registration?: Partial<Policy['registration']>
  /** Happens between the sign-in and the request. */
  later?: Partial<Account>
}

const all = ['totp', 'email', 'recovery-codes'] as const
const skips = { registration: { grace: { skips: 3, snoozeDays: 0 } } }

export const states: Record<string, State> = {
  'signed out, registered': { methods: all, session: 'none' },
  'signed out, nothing registered': { methods: [], session: 'none' },
  'password session, must register': { methods: [], session: 'pwd' },
  'password session, may put it off': { methods: [], session: 'pwd', ...skips },
  'password session, not in scope': { methods: [], session: 'pwd', registration: { scope: 'none' } },
  'password session, has a factor now': { methods: all, session: 'pwd' },
  'MFA session': { methods: all, session: 'mfa' },
  'session of a disabled account': { methods: all, session: 'mfa', later: { disabled: true } },
}

/** Under which everybody signs in with what there is. */
const lenient: Policy = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }

export interface User {
  b: Browser
  username: string
  secret: string
  codes: string[]
  password: string
}

/** A user in that state, in a browser of their own; policy is as the state wants it from then on. */
export async function prepared(w: World, state: State, username: string): Promise<User> {
  const b = w.browser()
  const who = await owner(w, username, { methods: state.methods })
  const edit = async (change: Partial<Account>): Promise<void> => {
    const account = await w.account(username)
    await w.store.accounts.replace({ ...account, ...change, version: account.version + 1 }, account.version)
  }
  Object.assign(w.policy, structuredClone(lenient), { clients: {} })
  const { credentials } = await w.account(username)
  if (state.session === 'pwd') await edit({ credentials: [] })
  if (state.session !== 'none') await enter(w, b, who)
  if (state.session === 'pwd') await edit({ credentials })
  if (state.later) await edit(state.later)
  const registration = { ...defaultPolicy.registration, ...state.registration }
  Object.assign(w.policy, structuredClone({ ...defaultPolicy, registration }))
  return { b, ...who, password: passwordOf(username) }
}

/** What one page is called in the table; pages of one wizard are one word. */
function word(page: string, before: string | undefined, method: string | undefined): string {
  if (before === 'reset' && page !== 'sign-in') return 'reset'
  if (before === 'register' && ['prove', 'enrol', 'registered'].includes(page)) return 'register'
  const words: Record<string, string> = {
    'sign-in': 'sign in',
    registration: 'register',
    registered: 'overview',
    forgot: 'reset',
    'new-password': 'new password',
    prove: method === 'email' ? 'mailed code' : 'factor',
  }
  return words[page] ?? page
}

/** Fills the page in the window as its user would. */
async function fill(w: World, user: User): Promise<void> {
  const { b, username, secret } = user
  const { page = '', method } = b.page
  const choose = async (): Promise<unknown> => {
    user.password = `${username} walks on ${w.clock.now()}`
    return b.submit({ new_password: user.password, confirm_password: user.password, action: 'continue' })
  }
  const prove = async (): Promise<unknown> => {
    if (method === 'recovery-codes') return b.submit({ code: user.codes.shift() ?? '', action: 'continue' })
    if (method === 'email') return b.submit({ code: await w.code(`${username}@example.org`), action: 'continue' })
    w.clock.tick(30_000)
    return b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
  }
  const pages: Record<string, () => Promise<unknown>> = {
    'sign-in': () => b.submit({ username, password: user.password, action: 'continue' }),
    password: () => b.submit({ password: user.password, action: 'continue' }),
    forgot: () => b.submit({ username, action: 'continue' }),
    'choose-method': () => b.submit({ method: /value="totp"/.test(b.now?.html ?? '') ? 'totp' : 'recovery-codes' }),
    'new-password': choose,
    prove,
    enrol: () =>
      method === 'totp'
        ? b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })
        : b.submit({ acknowledged: 'yes', action: 'continue' }),
  }
  await (pages[page] ?? (() => b.submit({ action: 'continue' })))()
}

const short = (value: unknown): string =>
  value === acr.multiFactor ? 'mfa' : value === acr.password ? 'pwd' : `no acr of ours: ${JSON.stringify(value)}`

/** The pages that came, an arrow, and what the relying party got: `sign in, factor → mfa`, `→ login_required`. */
export async function outcome(w: World, user: User, response: Response): Promise<string> {
  const seen: string[] = []
  const back = (one: Response): boolean => one.location?.startsWith(RP) === true
  let now = response
  // A loop of pages would end here, and be no cell of the table.
  for (let pages = 0; pages < 25 && !back(now); pages++) {
    const { page = '-', method, problem } = user.b.page
    if (page === 'error' || now.status >= 400) return [...seen, `stops (${problem ?? page})`].join(', ')
    const next = word(page, seen.at(-1), method)
    if (next !== seen.at(-1)) seen.push(next)
    await fill(w, user)
    now = user.b.now ?? now
  }
  const told = Object.fromEntries(new URL(now.location ?? 'http://none').searchParams)
  return `${seen.join(', ')} → ${await received(w, now, told)}`.trim()
}

async function received(w: World, response: Response, told: Record<string, string>): Promise<string> {
  if (told['error'] !== undefined) return told['error'].replace('unmet_authentication_requirements', 'unmet')
  const tokens = await w.exchange(response)
  const { acr: reached, action_status: status } = tokens.claims
  if (status !== told['action_status']) return `claim ${String(status)}, but parameter ${told['action_status']}`
  return typeof status === 'string' ? `${short(reached)}, ${status}` : short(reached)
}
