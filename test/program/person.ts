// A person who signs in: reads the page, does what it asks, comes back to the relying party; and that relying party.
import { createHash } from 'node:crypto'
import { totpCode } from '../authenticator.ts'
import { type Browser, hidden, type Response } from '../browser.ts'
import type { MailServer } from '../senders/mail-server.ts'
import { callback, password, type Site } from './site.ts'

export interface Person {
  username: string
  browser: Browser
  /** Of the authenticator app, once it was shown. */
  secret?: string
  /** The last recovery codes that were shown. */
  codes?: string[]
}

const STEP = 30_000

/** The code of a step near `now`. */
export const codeAt = (secret: string, now: number, steps = 0): string => totpCode(secret, now + steps * STEP)

/** Waits when a step is about to end, so that client and server see the same one. */
export async function steady(): Promise<number> {
  const left = STEP - (Date.now() % STEP)
  if (left < 2500) await new Promise((resolve) => setTimeout(resolve, left + 20))
  return Date.now()
}

const verifier = 'a-code-verifier-of-more-than-forty-three-characters'
const challenge = createHash('sha256').update(verifier).digest('base64url')

export const authorize = ({ issuer }: Pick<Site, 'issuer'>, more: Record<string, string> = {}): string =>
  `${issuer}/auth?${new URLSearchParams({
    client_id: 'rp',
    response_type: 'code',
    scope: 'openid profile email',
    redirect_uri: callback,
    state: 'state',
    nonce: 'nonce',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...more,
  })}`

/** The token request of the relying party; `headers` for what a test wants to add. */
export async function exchange(
  { issuer, rp }: Pick<Site, 'issuer' | 'rp'>,
  back: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; error?: string; access_token?: string; claims: Record<string, unknown> }> {
  const code = new URL(back).searchParams.get('code') ?? ''
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${rp.id}:${rp.secret}`).toString('base64')}`, ...headers },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: callback,
      code_verifier: verifier,
    }),
  })
  const tokens = (await answer.json()) as { error?: string; access_token?: string; id_token?: string }
  const payload = tokens.id_token?.split('.')[1] ?? ''
  const claims = payload ? JSON.parse(Buffer.from(payload, 'base64url').toString()) : {}
  return { ...tokens, status: answer.status, claims }
}

/** Codes mailed to an address, oldest first. */
export const mailed = (mail: MailServer, to: string): string[] =>
  mail.received
    .filter((one) => one.to.includes(to))
    .flatMap(({ raw }) => /text\/plain[\s\S]*?^\s+(\d{4} ?\d{4})\s*$/m.exec(raw)?.[1]?.replace(' ', '') ?? [])

/** The last code mailed to an address, once so many arrived. */
export async function mailedCode(mail: MailServer, to: string, count = 1, patience = 10_000): Promise<string> {
  const giveUp = Date.now() + patience
  while (Date.now() < giveUp) {
    const codes = mailed(mail, to)
    const last = codes.at(-1)
    if (last !== undefined && codes.length >= count) return last
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`no mail for ${to}`)
}

/** Posts the form of the page in the window without following the answer. */
export const post = (
  browser: Browser,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> =>
  browser.request(browser.now?.url ?? '', { form: { ...hidden(browser.now?.html ?? ''), ...fields }, headers })

export const where = (browser: Browser): string => {
  const { page = '-', method, problem } = browser.page
  return [page, method, problem && `!${problem}`].filter(Boolean).join(' ')
}

export interface Driving {
  site: Site
  /** What the clock of the servers shows. */
  now: () => Promise<number> | number
  /** Steps before or after now that the next codes of the app are of, in turn. */
  codes?: number[]
  /** How long a mail is waited for before another one is asked for; the queue is looked at every two seconds. */
  patience?: number
}

/** Does what the page asks for. False when it waits for a mail that did not come. */
async function act(person: Person, { site, now, codes = [0], patience = 10_000 }: Driving): Promise<boolean> {
  const { browser, username } = person
  const to = `${username}@example.org`
  const { page, method, problem } = browser.page
  const submit = (fields: Record<string, string>) => browser.submit({ action: 'continue', ...fields })
  if (page === 'sign-in' || page === 'password') await submit({ username, password })
  else if (page === 'registration' || page === 'registered' || page === 'message') await submit({})
  else if (page === 'choose-method') {
    if (problem === 'too_many_mails') return false
    await browser.submit({ method: browser.now?.html.includes('value="totp"') ? 'totp' : 'email' })
  } else if (method === 'email') {
    const code = await mailedCode(site.mail, to, 1, patience).catch(() => undefined)
    if (code !== undefined && problem !== 'wrong_code') await submit({ code })
    else {
      const before = mailed(site.mail, to).length
      await browser.submit({ action: 'resend' })
      if (browser.page.problem === 'too_many_mails') return false
      await submit({ code: await mailedCode(site.mail, to, before + 1) })
    }
  } else if (method === 'totp') {
    if (page === 'enrol') person.secret = browser.secret
    await submit({ code: codeAt(person.secret ?? '', await now(), codes.length > 1 ? codes.shift() : codes[0]) })
  } else if (method === 'recovery-codes' && page === 'enrol') {
    person.codes = browser.recoveryCodes
    await submit({ acknowledged: 'yes' })
  } else if (method === 'recovery-codes') {
    await submit({ code: person.codes?.[problem === 'code_used' ? 1 : 0] ?? '' })
  } else throw new Error(`${username} does not know what to do: ${where(browser)}\n${browser.now?.html.slice(0, 3000)}`)
  return true
}

/** From the page in the window back to the relying party; undefined when a mail did not come. `seen` collects the pages. */
export async function drive(person: Person, driving: Driving, seen: string[] = []): Promise<string | undefined> {
  const { browser } = person
  for (let steps = 0; steps < 25; steps++) {
    if (browser.now?.location?.startsWith(callback)) return browser.now.location
    seen.push(where(browser))
    if (!(await act(person, driving))) return undefined
  }
  throw new Error(`${person.username} walks in circles: ${seen.join(', ')}`)
}

/** Opens the page again, as after an error of the browser; what is over begins anew. */
export async function reload(person: Person, site: Site): Promise<void> {
  const { browser } = person
  await browser.open(browser.now?.url ?? authorize(site))
  if (browser.page.page === 'error') await browser.open(authorize(site))
}
