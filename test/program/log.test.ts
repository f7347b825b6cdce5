// The log at its most talkative: no secret in any spelling, one record a line whatever people send, and the number on the page.
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { usernameKey } from '../../src/domain/codes.ts'
import { createGate } from '../../src/passwords/gate.ts'
import { createPasswords } from '../../src/passwords/hash.ts'
import { authorize, codeAt, drive, exchange, mailed, type Person, steady, where } from './person.ts'
import type { Program } from './program.ts'
import { type Site, site } from './site.ts'

let s: Site
let program: Program
const canary = `canary ${randomBytes(12).toString('hex')} +/?"ä`
const wrong = `wrong ${randomBytes(12).toString('hex')} %&=<`

beforeAll(async () => {
  s = await site({ store: 'sqlite:', level: 'trace' })
  program = await s.serve({ env: { DEBUG: '*' } })
})
afterAll(() => s?.close())

const bytes = (secret: string): Buffer => Buffer.from(secret)
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  encodeURIComponent(secret).replaceAll('%20', '+'),
  JSON.stringify(secret).slice(1, -1),
  bytes(secret).toString('base64'),
  bytes(secret).toString('base64url'),
  bytes(secret).toString('hex'),
  secret.toUpperCase(),
  secret.toLowerCase(),
]

it('LG-1, OP-10: a whole walk at level trace leaves no secret in any spelling; every line is one record', async () => {
  const passwords = createPasswords({ keys: s.keys.prehash, cost: 10, pool: createGate({ atOnce: 1 }) })
  await s.add('alice', { password: { hash: await passwords.hash(canary), changedAt: Date.now() } })
  const alice: Person = { username: 'alice', browser: s.browser() }
  const { browser } = alice
  await steady()
  await browser.open(authorize(s, { login_hint: `hint-${wrong}` }))
  await browser.submit({ username: 'alice', password: wrong, action: 'continue' })
  expect(where(browser)).toBe('sign-in !wrong_password')
  await browser.submit({ username: 'alice', password: canary, action: 'continue' })
  const code = await drive(alice, { site: s, now: steady, codes: [-1] })
  const tokens = await exchange(s, code ?? '')
  const used = codeAt(alice.secret ?? '', Date.now(), -1)
  expect(tokens.status).toBe(200)

  const again: Person = { ...alice, browser: s.browser() }
  await again.browser.open(authorize(s))
  await again.browser.submit({ username: 'alice', password: canary, action: 'continue' })
  await again.browser.submit({ action: 'other_method' })
  await again.browser.submit({ method: 'recovery-codes' })
  await again.browser.submit({ code: alice.codes?.[3] ?? '', action: 'continue' })
  expect(again.browser.now?.location).toContain('code=')
  const second = new URL(again.browser.now?.location ?? '').searchParams.get('code') ?? ''
  const me = await fetch(`${s.issuer}/me`, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  expect(me.status).toBe(200)
  await fetch(`${s.issuer}/me?access_token=${tokens.access_token}`)

  const secrets: Record<string, string> = {
    password: canary,
    wrong,
    'totp secret': alice.secret ?? '',
    'totp code': used,
    'mailed code': mailed(s.mail, 'alice@example.org')[0] ?? '',
    'authorization code': new URL(code ?? '').searchParams.get('code') ?? '',
    'second code': second,
    'access token': tokens.access_token ?? '',
    'client secret': s.rp.secret,
    'root key': s.env['SELF_SERVICE_KEYS'] ?? '',
    address: 'alice@example.org',
    verifier: 'a-code-verifier-of-more-than',
  }
  for (const [index, one] of (alice.codes ?? []).entries()) {
    secrets[`recovery code ${index}`] = one
    secrets[`recovery code ${index}, bare`] = one.replaceAll('-', '')
  }
  for (const { name, value } of [...browser.cookies, ...again.browser.cookies]) {
    if (value.length > 8) secrets[`cookie ${name}`] = value
  }
  const log = program.out() + program.err()
  for (const [what, secret] of Object.entries(secrets)) {
    expect([what, secret.length]).not.toEqual([what, 0])
    // Six digits may be part of a time; elsewhere they are not.
    const text = what === 'totp code' ? log.replace(/"(time|ms|port|pid)":("[^"]*"|[\d.]+)/g, '') : log
    for (const spelling of spellings(secret)) expect([what, text.includes(spelling)]).toEqual([what, false])
  }
  expect(program.lines().length).toBeGreaterThan(20)
}, 60_000)

/** Bytes as they are: `fetch` would not send them. */
async function raw(head: string, body = ''): Promise<void> {
  const socket = connect(program.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.end(`${head}\r\nHost: ${new URL(s.issuer).host}\r\nConnection: close\r\n\r\n${body}`, 'latin1')
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
}

it('LG-4: hostile names, browsers and addresses stay in one record; the page and the log share a number (LG-5)', async () => {
  const before = program.lines().length
  const hostile = [
    '\r\n{"level":60,"msg":"forged"}',
    '\u001b[2J\u001b[31m',
    '\u2028\u2029\u0085',
    '"}\n{"msg":"forged"}',
    '\u202e\u0000',
  ]
  for (const nasty of hostile) {
    const browser = s.browser()
    await browser.open(authorize(s, { login_hint: nasty, state: nasty, ui_locales: nasty }))
    if (browser.page.page === 'sign-in') {
      await browser.submit({ username: `bob${nasty}`, password: nasty, action: 'continue' })
    }
    await browser.request(
      `${s.issuer}/${encodeURIComponent(nasty)}/${encodeURIComponent(nasty)}?q=${encodeURIComponent(nasty)}`,
    )
  }
  await raw('GET /auth?client_id=rp&x=\u009b31m HTTP/1.1\r\nUser-Agent: a\u009b31m\u0085{"msg":"forged"}')
  await raw('GET /%0d%0aforged HTTP/1.1\r\nUser-Agent: \u001b[31m')
  await raw('FORGED\n{"msg":"forged"} / HTTP/1.1')

  const answer = await s.browser().request(`${s.issuer}/auth?client_id=nobody`)
  const reference = /[0-9A-HJKMNP-TV-Z]{10}/.exec(/class="reference">([^<]*)</.exec(answer.html)?.[1] ?? '')?.[0]
  const line = await program.line((one) => one.reference === reference)
  expect(line).toMatchObject({ path: '/auth', status: 400 })

  const lines = program.out().split('\n').filter(Boolean)
  // `serve()` of the test parses each line as it comes: one that is no JSON would have ended the test.
  expect(lines).toHaveLength(program.lines().length)
  expect(program.lines().length).toBeGreaterThan(before)
  expect(program.lines().some(({ msg }) => msg === 'forged')).toBe(false)
  // No control character of C0 or C1 and no line end of Unicode reaches a terminal.
  expect(program.out().replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)

  const trail = await s.store.audit.query({}, 1000)
  expect(trail.every(({ kind }) => /^[a-z.-]+$/.test(kind))).toBe(true)
  expect(await s.store.accounts.findByUsernameKey(usernameKey('bob'))).toBeUndefined()
  expect((await program.stop()).code).toBe(0)
}, 60_000)
