// Change password: the current one, a second factor that is fresh, the new one; this browser goes on, everything else ends.
import { expect, it } from '@jest/globals'
import { type Browser, hidden, type Response } from '../browser.ts'
import {
  anyone,
  arena,
  back,
  errorOf,
  leaked,
  parallel,
  resumeAddress,
  silently,
  someone,
  walk,
} from '../attacks/attacker.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, RP, type World } from '../world.ts'
import { totpCode } from '../authenticator.ts'
import { byApp, byCode, choose, enter, forgot, gates, named, newPassword, opens, owner, redemption } from './owner.ts'
import { at, returned } from './steps.ts'

const host = { issueRefreshToken: async () => true, expiresWithSession: async () => false }
const optional = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }

/** As far as the page that asks for the new password. */
async function change(
  w: World,
  b: Browser,
  who: { username: string; secret: string },
  password = passwordOf(who.username),
) {
  await b.open(`${w.issuer}/change-password`)
  await b.submit({ password, action: 'continue' })
  if (at(b) !== 'prove totp') return
  w.clock.tick(30_000)
  await b.submit({ code: totpCode(who.secret, w.clock.now()), action: 'continue' })
}

const session = (b: Browser): string => b.cookies.find(({ name }) => name === '_session')?.value ?? ''

const userinfo = async (w: World, token = ''): Promise<number> =>
  (await fetch(`${w.issuer}/me`, { headers: { authorization: `Bearer ${token}` } })).status

async function connect(w: World, b: Browser): Promise<Record<string, string>> {
  const device = await back(w, '/device/auth', { client_id: 'rp', scope: 'openid' })
  const code = String(device['user_code'])
  await b.open(`${w.issuer}/device?user_code=${code}`)
  await b.open(
    await b.request(`${w.issuer}/device`, { form: { ...hidden(b.now?.html ?? ''), user_code: code, confirm: 'yes' } }),
  )
  return { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: String(device['device_code']) }
}

eachStore('change password', (database) => {
  const here = arena(database)

  it('CH-1, CH-5, SE-6: current password, new password; this browser goes on under a new session id', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    expect(leaked(await enter(w, b, who))).toBe(true)
    const old = b.clone()
    await b.open(`${w.issuer}/change-password`)
    expect(at(b)).toBe('password')
    await b.submit({ password: 'not the one', action: 'continue' })
    expect(at(b)).toMatch(/^password !/)
    await b.submit({ password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('new-password')
    const password = newPassword()
    await choose(b, password)
    expect(at(b)).toBe('message')
    expect(leaked(await silently(w, b))).toBe(true)
    expect(session(b)).not.toBe(session(old))
    expect(errorOf(await silently(w, old))).toBe('login_required')
    expect((await w.account(who.username)).epoch).toBe(2)
    expect([await opens(w, who, passwordOf(who.username)), await opens(w, who, password)]).toEqual([false, true])
    // The browser stays a known one.
    const tokens = await w.exchange(await silently(w, b))
    expect(tokens.claims).toMatchObject({ sub: who.id, amr: ['pwd', 'otp', 'mfa'] })
  })

  it('SE-1, RS-16: everything else is dead at the very next request, in another process', async () => {
    const w = await here.enterTwo({ host })
    const [who, b, other] = [await owner(w, someone()), anyone(w), anyone(w)]
    await enter(w, b, who)
    const second = await enter(w, other, who)
    const tokens = await w.exchange(second)
    expect([await userinfo(w, tokens.access_token), typeof tokens.refresh_token]).toEqual([200, 'string'])
    const unredeemed = await silently(w, other)
    expect(leaked(unredeemed)).toBe(true)
    const device = await connect(w, other)
    expect(at(other)).toBe('message')
    const reset = anyone(w)
    await forgot(w, reset)
    await named(reset, who.username)
    await byApp(w, reset, who)
    await byCode(reset, who)
    expect(at(reset)).toBe('new-password')
    const half = anyone(w)
    await half.open(w.authorize())
    await half.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
    expect(at(half)).toBe('prove totp')
    const changing = other.clone()
    w.clock.tick(6 * 60_000)
    await change(w, changing, who)
    expect(at(changing)).toBe('new-password')

    await change(w, b, who)
    const password = newPassword()
    await choose(b, password)
    expect(at(b)).toBe('message')

    const [me, introspected, refreshed, code, box, silent] = await Promise.all([
      userinfo(w, tokens.access_token),
      back(w, '/token/introspection', { token: tokens.access_token ?? '' }),
      back(w, '/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }),
      back(w, '/token', redemption(unredeemed)),
      back(w, '/token', device),
      silently(w, other),
    ])
    expect([me, introspected['active'], refreshed['error'], code['error'], box['error'], errorOf(silent)]).toEqual([
      401,
      false,
      'invalid_grant',
      'invalid_grant',
      'invalid_grant',
      'login_required',
    ])
    const stolen = newPassword()
    await choose(reset, stolen)
    expect(at(reset)).not.toBe('changed')
    await choose(changing, stolen)
    w.clock.tick(30_000)
    await half.submit({ code: totpCode(who.secret, w.clock.now()), action: 'continue' })
    expect(leaked(half.now as Response)).toBe(false)
    expect([await opens(w, who, stolen), await opens(w, who, password)]).toEqual([false, true])
    expect((await w.account(who.username)).epoch).toBe(2)
    expect(leaked(await silently(w, b))).toBe(true)
  })

  it('RS-16: a registration that was half way ends with a change elsewhere', async () => {
    const w = await here.enterTwo({ policy: optional })
    const username = someone()
    await w.add(username)
    const b = anyone(w)
    await enter(w, b, { username, secret: '' })
    w.policy.registration.required = true
    const half = anyone(w)
    await walk(w, half, username, 3)
    expect(at(half)).toBe('enrol totp')
    w.policy.registration.required = false
    w.clock.tick(61_000)
    await b.open(`${w.issuer}/change-password`)
    await b.submit({ password: passwordOf(username), action: 'continue' })
    // The address was registered meanwhile: it is the trust gate here.
    expect(at(b)).toBe('prove email')
    await b.submit({ code: await w.code(`${username}@example.org`, 2), action: 'continue' })
    await choose(b, 'a first password that is long')
    w.policy.registration.required = true
    const { secret } = half
    await half.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
    expect(leaked(half.now as Response)).toBe(false)
    expect(at(half)).not.toMatch(/^enrol recovery/)
    expect((await w.account(username)).credentials.map(({ method }) => method)).toEqual(['email'])
  })

  it('CH-1: a second factor older than five minutes is asked for; a fresh one is not', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await enter(w, b, who)
    w.clock.tick(4 * 60_000)
    const early = b.clone()
    await early.open(`${w.issuer}/change-password`)
    await early.submit({ password: passwordOf(who.username), action: 'continue' })
    expect(at(early)).toBe('new-password')
    w.clock.tick(2 * 60_000)
    await b.open(`${w.issuer}/change-password`)
    await b.submit({ password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('prove totp')
  })

  it('CH-1: a password that stands alone changes with the trust gate as well', async () => {
    const w = await here.enter({ policy: optional })
    const username = someone()
    await w.add(username)
    const b = anyone(w)
    expect(leaked(await enter(w, b, { username, secret: '' }))).toBe(true)
    await b.open(`${w.issuer}/change-password`)
    await b.submit({ password: passwordOf(username), action: 'continue' })
    expect(at(b)).toBe('prove email')
    const password = 'long enough to stand alone'
    await choose(b.clone(), password)
    expect(await opens(w, { username }, password)).toBe(false)
    await b.submit({ code: await w.code(`${username}@example.org`), action: 'continue' })
    expect(at(b)).toBe('new-password')
    await choose(b, password)
    expect(await opens(w, { username }, password)).toBe(true)
  })

  it('CH-1: a stolen session alone changes nothing; CH-3: neither does a name in the form', async () => {
    const w = await here.enter()
    const [who, victim, b] = [await owner(w, someone()), await owner(w, someone()), anyone(w)]
    await enter(w, b, who)
    const password = newPassword()
    const fields = {
      new_password: password,
      confirm_password: password,
      username: victim.username,
      account: victim.id,
      sub: victim.id,
    }
    await b.open(`${w.issuer}/change-password?username=${victim.username}&sub=${victim.id}`)
    await b.submit({ ...fields, action: 'continue' })
    expect(at(b)).toBe('password !password_missing')
    await b.submit({ ...fields, password: passwordOf(victim.username), action: 'continue' })
    expect(at(b)).toMatch(/^password !/)
    await b.submit({ ...fields, password: passwordOf(who.username), action: 'continue' })
    await b.submit({ ...fields, action: 'continue' })
    expect(await opens(w, victim, passwordOf(victim.username))).toBe(true)
    expect((await w.account(victim.username)).epoch).toBe(1)
    expect((await w.account(who.username)).epoch).toBe(2)
  })

  it('CH-2: wrong current passwords count where wrong passwords of a sign-in count', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await enter(w, b, who)
    // Not as a known browser: whoever took the session alone.
    b.cookies = b.cookies.filter(({ name }) => !name.startsWith('known-'))
    await b.open(`${w.issuer}/change-password`)
    await parallel(12, (index) => b.clone().submit({ password: `wrong ${index}`, action: 'continue' }))
    const fresh = anyone(w)
    await fresh.open(w.authorize())
    await fresh.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
    expect(at(fresh)).toBe('sign-in !too_many_passwords')
  })

  it('CH-4: the current password, typed or composed otherwise, is not a new one', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await enter(w, b, who)
    await change(w, b, who)
    await choose(b, passwordOf(who.username))
    expect(at(b)).toBe('new-password !password_same')
    await choose(b, 'éclair lamps und otter')
    expect(at(b)).toBe('message')
    await change(w, b, who, 'éclair lamps und otter')
    await choose(b, 'éclair lamps und otter'.normalize('NFD'))
    expect(at(b)).toBe('new-password !password_same')
  })

  it('prompt=change_password: for the client that policy allows it, in a session and without; others are refused', async () => {
    const clients = ['rp', 'rp2'].map((id) => ({
      client_id: id,
      client_secret: 'rp-secret',
      redirect_uris: [`${RP}/cb`],
      response_types: ['code'],
    })) as never
    const w = await here.enter({
      clients,
      policy: { ...defaultPolicy, clients: { rp: { prompts: ['change_password'] } } },
    })
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await enter(w, b, who, { authorize: { prompt: 'change_password' } })
    expect(leaked(b.now as Response)).toBe(false)
    expect(at(b)).toBe('password')
    await b.submit({ password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('new-password')
    const done = await choose(b, newPassword())
    expect((await w.exchange(done)).claims).toMatchObject({ sub: who.id })
    const refused = await b.open(w.authorize({ client_id: 'rp2', prompt: 'change_password' }))
    expect(returned(refused)).toMatchObject({ error: 'invalid_request' })
    await b.open(w.authorize({ prompt: 'change_password' }))
    expect(returned(await b.submit({ action: 'cancel' }))).toMatchObject({ error: 'access_denied' })
  })

  it('CH-6: /.well-known/change-password redirects for a while; what is not there is not there', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    for (const browser of [anyone(w), b]) {
      if (browser === b) await enter(w, b, who)
      const answer = await browser.request(`${w.issuer}/.well-known/change-password`)
      expect([answer.status, answer.location]).toEqual([302, `${w.issuer}/change-password`])
    }
    const none = '/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200'
    expect((await b.request(`${w.issuer}${none}`)).status).toBe(404)
  })

  it('CH-7: a form from another site, or without its token, changes nothing', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await enter(w, b, who)
    await change(w, b, who)
    const page = b.now as Response
    const password = newPassword()
    const form = { new_password: password, confirm_password: password, action: 'continue' }
    const whole: Record<string, string> = { ...hidden(page.html), ...form }
    const origin = { origin: 'https://evil.example' }
    const answers = [
      await b.request(page.url, { form: whole, headers: origin }),
      await b.request(page.url, { form: whole, headers: { origin: 'null' } }),
      await b.request(page.url, { form: whole, headers: { 'sec-fetch-site': 'cross-site' } }),
      await b.request(page.url, { form }),
      await b.request(page.url, { form: { ...whole, step: `${whole['step']}x` } }),
      await anyone(w).request(page.url, { form: whole }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 400])
    expect(await opens(w, who, password)).toBe(false)
    await choose(b, password)
    expect(await opens(w, who, password)).toBe(true)
  })

  it('CH-4: fifty at once, with different passwords: one new password, one epoch', async () => {
    const w = await here.enterTwo()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await enter(w, b, who)
    await change(w, b, who)
    const passwords = Array.from({ length: 50 }, newPassword)
    const answers = await Promise.all(passwords.map((one) => choose(b.clone(), one)))
    expect(answers.filter(({ status }) => status >= 500)).toEqual([])
    const account = await w.account(who.username)
    expect(account.epoch).toBe(2)
    const found = await w.store.audit.query({ accountId: who.id, kind: 'password.changed' }, 100)
    expect(
      found.length +
        account.outbox.filter(({ kind, id }) => kind === 'password.changed' && !found.some((one) => one.id === id))
          .length,
    ).toBe(1)
  })

  it('a host resume address in the middle of a change gives no code to a session that ended', async () => {
    const w = await here.enter({ policy: { ...defaultPolicy, clients: { rp: { prompts: ['change_password'] } } } })
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await enter(w, b, who)
    await b.open(w.authorize({ prompt: 'change_password' }))
    const address = resumeAddress(w, b)
    await gates(w, anyone(w), who)
    expect(leaked(await b.open(address))).toBe(false)
    expect(at(b)).toBe('password')
  })
})
