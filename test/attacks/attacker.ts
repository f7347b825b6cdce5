// What every attack needs: worlds over one store behind a proxy, browsers anywhere on earth, and eyes for what leaked.
import { randomBytes } from 'node:crypto'
import { afterEach, beforeAll } from '@jest/globals'
import type { Store } from '../../src/domain/ports.ts'
import { totpCode } from '../authenticator.ts'
import { type Browser, hidden, type Response } from '../browser.ts'
import type { Database } from '../stores.ts'
import { passwordOf, RP, type World, type WorldOptions, world } from '../world.ts'

export interface Arena {
  /** A world over the file's store, behind one trusted proxy. Closed after the test. */
  enter(setup?: WorldOptions): Promise<World>
  /** Two processes on two connections, asked in turn. */
  enterTwo(setup?: WorldOptions): Promise<World>
  store(): Store
  dump(): Promise<string>
}

export function arena(database: () => Promise<Database>): Arena {
  let opened: Database | undefined
  let store: Store | undefined
  let peer: Promise<Store> | undefined
  let worlds: World[] = []
  beforeAll(async () => {
    opened = await database()
    store = await opened.open()
  })
  afterEach(async () => {
    await Promise.all(worlds.map((one) => one.close()))
    worlds = []
  })
  const enter = async ({ options, ...setup }: WorldOptions = {}): Promise<World> => {
    const entered = await world({ ...(store && { store }), ...setup, options: { proxyHops: 1, ...options } })
    worlds.push(entered)
    return entered
  }
  return {
    enter,
    async enterTwo(setup) {
      peer ??= opened?.open()
      return enter({ ...setup, peers: [(await peer) as Store] })
    },
    store: () => store as Store,
    dump: async () => (await opened?.dump()) ?? '',
  }
}

export const somewhere = (): string => [10, ...randomBytes(3)].join('.')

/** A browser at an address of its own, as the proxy reports it. */
export function anyone(w: World, address = somewhere()): Browser {
  const browser = w.browser()
  browser.headers['x-forwarded-for'] = address
  return browser
}

let names = 0
/** A name that no other test uses. */
export const someone = (): string => `user${++names}-${randomBytes(4).toString('hex')}`

/** A code or a token left the provider: in a redirect, in a fragment, or in a form that posts itself. */
export const leaked = ({ location, html }: Response): boolean =>
  /[?&#](code|id_token|access_token)=/.test(location ?? '') ||
  /<input[^>]*name="(code|id_token|access_token)"[^>]*value="[^"]/.test(html)

/** The error that the relying party got. */
export const errorOf = ({ location }: Response): string | null =>
  location?.startsWith(RP) ? new URL(location).searchParams.get('error') : null

/** The address at which the provider takes the interaction up again. */
export function resumeAddress(w: World, b: Browser): string {
  const path = b.cookies.findLast(({ name }) => name === '_interaction_resume')?.path
  if (!path) throw new Error('there is nothing to resume')
  return `${w.issuer}${path}`
}

export const stepOf = (b: Browser): string => hidden(b.now?.html ?? '')['step'] ?? ''

const mailsBefore = new WeakMap<Browser, number>()

/** The code of the mail that this browser's last "continue" or "resend" asked for, not of an earlier one. */
export async function mailedCode(w: World, b: Browser, username: string): Promise<string> {
  const before = mailsBefore.get(b) ?? 0
  for (let tries = 0; tries < 1000; tries++) {
    const mail = w.outbox
      .mails()
      .slice(before)
      .findLast(({ to }) => to === `${username}@example.org`)
    const found = mail && /\b(\d{4}\s?\d{4})\b/.exec(mail.text)?.[1]
    if (found) return found.replace(/\s/g, '')
    await new Promise((done) => setTimeout(done, 5))
  }
  throw new Error(`no mail for ${username}`)
}

/** Posts what sends a mail. */
export function submitForMail(w: World, b: Browser, fields: Record<string, string>): Promise<Response> {
  mailsBefore.set(b, w.outbox.mails().length)
  return b.submit(fields)
}

/** Everything that forced registration consists of, one post each. */
export const steps: readonly ((w: World, b: Browser, username: string) => Promise<Response>)[] = [
  (w, b) => b.open(w.authorize()),
  (_w, b, username) => b.submit({ username, password: passwordOf(username), action: 'continue' }),
  (w, b) => submitForMail(w, b, { action: 'continue' }),
  async (w, b, username) => b.submit({ code: await mailedCode(w, b, username), action: 'continue' }),
  (w, b) => b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' }),
  (_w, b) => b.submit({ acknowledged: 'yes', action: 'continue' }),
]
export const stepNames = ['sign-in page', 'password', 'why', 'trust gate', 'authenticator', 'recovery codes'] as const

export async function walk(w: World, b: Browser, username: string, until: number): Promise<void> {
  for (const step of steps.slice(0, until + 1)) await step(w, b, username)
}

/** What somebody without a window gets: no page, no code. */
export const silently = async (w: World, b: Browser, more: Record<string, string> = {}): Promise<Response> =>
  b.clone().open(w.authorize({ prompt: 'none', ...more }))

export const parallel = <Result>(times: number, work: (index: number) => Promise<Result>): Promise<Result[]> =>
  Promise.all(Array.from({ length: times }, (_, index) => work(index)))

const basic = `Basic ${Buffer.from('rp:rp-secret').toString('base64')}`

/** A request of the relying party itself. */
export async function back(
  w: World,
  path: string,
  form: Record<string, string>,
): Promise<{ status: number; [field: string]: unknown }> {
  const answer = await fetch(`${w.issuer}${path}`, {
    method: 'POST',
    headers: { authorization: basic, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form),
  })
  const text = await answer.text()
  return { ...(text.startsWith('{') ? (JSON.parse(text) as object) : { text }), status: answer.status }
}
