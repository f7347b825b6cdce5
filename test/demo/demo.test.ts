// The demonstration as a stranger walks it: relying party, forced registration, claims, refresh, sign-out, the switch.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Demo, startDemo } from '../../src/demo/demo.ts'
import { jsonLog } from '../../src/server/log.ts'
import { openStore } from '../../src/stores/open.ts'
import { totpCode } from '../authenticator.ts'
import { Browser, type Response } from '../browser.ts'

let folder: string
let demo: Demo
const lines: string[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'demo-'))
  demo = await startDemo({ folder, port: 0, rpPort: 0, log: () => jsonLog('trace', (line) => lines.push(line)) })
})
afterAll(async () => {
  await demo?.close()
  await rm(folder, { recursive: true })
})

/** Follows redirects between provider and relying party. */
async function go(browser: Browser, from: string | Response): Promise<Response> {
  let response = typeof from === 'string' ? await browser.request(from) : from
  for (let hops = 0; response.location !== undefined && hops < 20; hops++) {
    response = await browser.request(response.location)
  }
  browser.now = response
  return response
}
const submit = async (browser: Browser, fields: Record<string, string>): Promise<Response> =>
  go(browser, await browser.submit(fields))

async function mailedCode(to: string): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const all: { to: string; text: string }[] = JSON.parse(
      (await new Browser(demo.issuer).request('/dev/outbox.json')).html,
    )
    const mails = all.filter((mail) => JSON.stringify(mail.to).includes(to))
    const code = /\b\d{8}\b/.exec(mails.at(-1)?.text.replace(/(\d{4})[\s-](\d{4})/, '$1$2') ?? '')?.[0]
    if (code) return code
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('no mail came')
}

const claimsOf = (html: string): Record<string, string> =>
  Object.fromEntries(
    [...html.matchAll(/data-claim="([^"]+)">([^<]*)</g)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll('&quot;', '"'),
    ]),
  )

const signIn = async (browser: Browser, username: string, password: string): Promise<Response> => {
  await go(browser, `${demo.url}/sign-in`)
  expect(browser.page.page).toBe('sign-in')
  return submit(browser, { username, password })
}

describe('the demonstration', () => {
  it('SC-2: keeps its keys and data for its owner alone', async () => {
    for (const name of ['keys', 'demo.db', 'demo.yaml']) {
      expect((await stat(join(folder, name))).mode & 0o077).toBe(0)
    }
    expect(demo.files.keysMade).toBe(true)
  })

  it('walks a stranger from the relying party through registration and back', async () => {
    const browser = new Browser(demo.issuer)
    const start = await go(browser, demo.url)
    expect(start.html).toContain('Sign in')
    expect(start.headers.get('content-security-policy')).toContain("default-src 'none'")

    await signIn(browser, 'alice', 'wonderland-tea-at-four')
    expect(browser.page.page).toBe('registration')
    await submit(browser, { action: 'continue' })
    if (browser.page.page !== 'prove') await submit(browser, { action: 'send' })
    let secret = ''
    for (let step = 0; step < 12 && browser.now?.url.startsWith(demo.issuer); step++) {
      const { page, method } = browser.page
      if (method === 'email') await submit(browser, { code: await mailedCode('alice'), action: 'continue' })
      else if (method === 'totp') {
        secret = browser.secret
        await submit(browser, { code: totpCode(secret, Date.now()), action: 'continue' })
      } else if (method === 'recovery-codes') await submit(browser, { acknowledged: 'yes', action: 'continue' })
      else if (page === 'registered') await submit(browser, { action: 'continue' })
      else throw new Error(JSON.stringify(browser.page))
    }
    expect(browser.page.page).toBe('signed-in')
    expect(browser.now?.html).toContain('<strong>Alice Chen</strong>')
    const claims = claimsOf(browser.now?.html ?? '')
    expect(claims['acr']).toBe('urn:oidc-self-service:acr:mfa')
    expect(JSON.parse(claims['amr'] ?? '')).toEqual(['pwd', 'otp', 'mfa'])
    expect(Number(claims['auth_time'])).toBeGreaterThan(1_700_000_000)

    browser.now = await browser.request(demo.url)
    await go(browser, await browser.request(`${demo.url}/refresh`, { form: {} }))
    expect(browser.now.html).toContain('refreshed 1 time')

    await go(browser, await browser.request(`${demo.url}/sign-out`, { form: {} }))
    expect(browser.now.url.startsWith(demo.issuer)).toBe(true)
    const form = /<form\b[^>]*action="([^"]+)"/.exec(browser.now.html)?.[1] ?? ''
    const xsrf = /name="xsrf"[^>]*value="([^"]+)"/.exec(browser.now.html)?.[1] ?? ''
    await go(browser, await browser.request(form, { form: { xsrf, logout: 'yes' } }))
    expect(browser.now.url).toBe(`${demo.url}/`)
    expect(browser.page.page).toBe('signed-out')
    await go(browser, `${demo.url}/sign-in`)
    expect(browser.page.page).toBe('sign-in')
  })

  it('the switch counts for the next sign-in, without a restart, and is recorded', async () => {
    const file = demo.files.config
    const text = await readFile(file, 'utf8')
    const off = new Browser(demo.issuer)
    await writeFile(file, text.replace('required: true', 'required: false'))
    await signIn(off, 'bob', 'harbour-lights-at-nine')
    expect(off.page.page).toBe('signed-in')
    expect(claimsOf(off.now?.html ?? '')['acr']).toBe('urn:oidc-self-service:acr:pwd')

    await writeFile(file, text.replace('required: true', 'required: maybe'))
    const stays = new Browser(demo.issuer)
    await signIn(stays, 'bob', 'harbour-lights-at-nine')
    expect(stays.page.page).toBe('signed-in')
    expect(lines.join('')).toContain('registration.required must be true or false')

    await writeFile(file, text)
    const on = new Browser(demo.issuer)
    await signIn(on, 'bob', 'harbour-lights-at-nine')
    expect(on.page.page).toBe('registration')

    const store = await openStore(demo.config.store)
    const events = await store.audit.query({ kind: 'policy.changed' }, 10)
    await store.close()
    expect(events.map(({ detail }) => detail?.['changes'])).toEqual([
      [{ option: 'registration.required', from: true, to: false }],
      [{ option: 'registration.required', from: false, to: true }],
    ])
  })

  it('a cancelled sign-in comes back to the relying party', async () => {
    const browser = new Browser(demo.issuer)
    await go(browser, `${demo.url}/sign-in`)
    await submit(browser, { action: 'cancel' })
    expect(browser.page.page).toBe('outcome')
    expect(browser.now?.html).toContain('access_denied')
    const again = await go(browser, browser.now?.url ?? '')
    expect(again.status).toBe(400)
  })

  it('a second start makes no new keys and no new accounts', async () => {
    const second = await startDemo({ folder, port: 0, rpPort: 0, log: () => jsonLog('silent') })
    expect(second.files.keysMade).toBe(false)
    expect(second.files.keys).toBe(demo.files.keys)
    await second.close()
  })

  it('LG-1: the log holds no secret, no query and no flow id', () => {
    const log = lines.join('')
    expect(log).toContain('"path":"/interaction/:id"')
    expect(log).not.toMatch(/wonderland|harbour-lights|code_challenge|\?|xsrf/)
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow()
  })
})
