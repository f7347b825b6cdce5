// Forgot password: from the sign-in page, from its own address, by a relying party's prompt; and back to where it began.
import { expect, it } from '@jest/globals'
import { totpCode } from '../authenticator.ts'
import { marks } from '../browser.ts'
import { anyone, arena, errorOf, leaked, silently, someone } from '../attacks/attacker.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, RP } from '../world.ts'
import { byApp, byCode, byMail, choose, enter, forgot, gates, named, newPassword, opens, owner } from './owner.ts'
import { at, returned } from './steps.ts'

const clients = ['rp', 'rp2'].map((id) => ({
  client_id: id,
  client_secret: 'rp-secret',
  redirect_uris: [`${RP}/cb`],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code', 'none'],
})) as never

eachStore('forgot password', (database) => {
  const here = arena(database)

  it('RS-6, RS-7, RS-8: two gates, a new password, back to the same request; nobody signed in, no factor touched', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    const before = (await w.account(who.username)).credentials
    await forgot(w, b, { state: 'as it was' })
    expect(at(b)).toBe('forgot')
    await named(b, who.username)
    expect(at(b)).toBe('choose-method')
    await byMail(w, b, who)
    expect(at(b)).toBe('choose-method')
    await byApp(w, b, who)
    expect(at(b)).toBe('new-password')
    const password = newPassword()
    await choose(b, password)
    expect(at(b)).toBe('changed')
    expect(errorOf(await silently(w, b))).toBe('login_required')
    const account = await w.account(who.username)
    const still = (used: typeof before): unknown[] =>
      used.map(({ id, method, label, addedAt }) => ({ id, method, label, addedAt }))
    expect(still(account.credentials)).toEqual(still(before))
    expect(account.epoch).toBe(2)
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('sign-in')
    expect(errorOf(await silently(w, b))).toBe('login_required')
    await b.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('sign-in !wrong_password')
    await b.submit({ username: who.username, password, action: 'continue' })
    expect(at(b)).toBe('prove totp')
    w.clock.tick(30_000)
    const response = await b.submit({ code: totpCode(who.secret, w.clock.now()), action: 'continue' })
    expect(returned(response)).toMatchObject({ state: 'as it was' })
    expect((await w.exchange(response)).claims).toMatchObject({ sub: who.id, amr: ['pwd', 'otp', 'mfa'] })
  })

  it('from /forgot-password: the same walk, ending at the sign-in of our own page', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await b.open(`${w.issuer}/forgot-password`)
    expect(at(b)).toBe('forgot')
    await named(b, who.username)
    await byApp(w, b, who)
    await byCode(b, who)
    const password = newPassword()
    await choose(b, password)
    expect(at(b)).toBe('changed')
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('sign-in')
    expect(errorOf(await silently(w, b))).toBe('login_required')
    expect(await opens(w, who, password)).toBe(true)
  })

  it('prompt=forgot_password: for the client that policy allows it; others are refused at the relying party', async () => {
    const policy = { ...defaultPolicy, clients: { rp: { prompts: ['forgot_password'] } } }
    const w = await here.enter({ policy, clients })
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await b.open(w.authorize({ prompt: 'forgot_password', login_hint: who.username }))
    expect(at(b)).toBe('forgot')
    expect(b.now?.html).toContain(who.username)
    await named(b, who.username)
    await byApp(w, b, who)
    await byCode(b, who)
    const password = newPassword()
    await choose(b, password)
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('sign-in')
    await b.submit({ username: who.username, password, action: 'continue' })
    w.clock.tick(30_000)
    const done = await b.submit({ code: totpCode(who.secret, w.clock.now()), action: 'continue' })
    expect((await w.exchange(done)).claims).toMatchObject({ sub: who.id })

    const other = anyone(w)
    const refused = await other.open(w.authorize({ client_id: 'rp2', prompt: 'forgot_password' }))
    expect(returned(refused)).toMatchObject({ error: 'invalid_request' })
    expect(leaked(refused)).toBe(false)
    // Silent and forgotten at the same time is no request at all.
    expect(errorOf(await other.open(w.authorize({ prompt: 'none forgot_password' })))).toBe('invalid_request')
  })

  it('prompt=forgot_password, cancelled: access_denied at the relying party; from the sign-in page: the sign-in page', async () => {
    const policy = { ...defaultPolicy, clients: { rp: { prompts: ['forgot_password'] } } }
    const w = await here.enter({ policy })
    const b = anyone(w)
    await b.open(w.authorize({ prompt: 'forgot_password' }))
    expect(returned(await b.submit({ action: 'cancel' }))).toMatchObject({ error: 'access_denied' })
    const c = anyone(w)
    await forgot(w, c)
    await c.submit({ action: 'cancel' })
    expect(at(c)).toBe('sign-in')
  })

  it('RS-6: gates are of different kinds: what was shown is not offered again, and not taken', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await forgot(w, b)
    await named(b, who.username)
    expect(methodsOn(b.now?.html)).toEqual(['totp', 'recovery-codes', 'email'])
    await byApp(w, b, who)
    expect(methodsOn(b.now?.html)).toEqual(['recovery-codes', 'email'])
    await b.submit({ method: 'totp' })
    expect(at(b)).toBe('choose-method !method_unavailable')
    await b.submit({ method: 'sms' })
    expect(at(b)).toBe('choose-method !method_unavailable')
    await byCode(b, who)
    expect(at(b)).toBe('new-password')
  })

  it('"choose another method" leads back to the list, and to another one', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await forgot(w, b)
    await named(b, who.username)
    await b.submit({ method: 'totp' })
    expect(at(b)).toBe('prove totp')
    await b.submit({ action: 'other_method' })
    expect(at(b)).toBe('choose-method')
    await byMail(w, b, who)
    await byCode(b, who)
    expect(at(b)).toBe('new-password')
  })

  it('RS-6: reset.gates 1: an address is enough, a second factor needs another gate, an administrator two', async () => {
    const policy = { ...defaultPolicy, reset: { ...defaultPolicy.reset, gates: 1 as const } }
    const w = await here.enter({ policy })
    const who = await owner(w, someone())
    const mail = anyone(w)
    await forgot(w, mail)
    await named(mail, who.username)
    await byMail(w, mail, who)
    expect(at(mail)).toBe('new-password')

    for (const factor of [byApp, (_w: unknown, b: typeof mail) => byCode(b, who)] as const) {
      const b = anyone(w)
      await forgot(w, b)
      await named(b, who.username)
      await factor(w, b, who)
      expect(at(b)).toBe('choose-method')
      await byMail(w, b, who)
      expect(at(b)).toBe('new-password')
    }

    const admin = await owner(w, someone(), { groups: ['admins'] })
    const c = anyone(w)
    await forgot(w, c)
    await named(c, admin.username)
    await byMail(w, c, admin)
    expect(at(c)).toBe('choose-method')
    await byApp(w, c, admin)
    expect(at(c)).toBe('new-password')
  })

  it('RS-6: reset.gates 1 and nothing but second factors of one kind: told by mail, not on a page', async () => {
    const policy = { ...defaultPolicy, reset: { ...defaultPolicy.reset, gates: 1 as const } }
    const w = await here.enter({ policy })
    const who = await owner(w, someone(), { methods: ['totp'] })
    const b = anyone(w)
    await forgot(w, b)
    await named(b, who.username)
    await byApp(w, b, who)
    expect(at(b)).toBe('prove totp !wrong_code')
    expect(
      (await w.store.audit.query({ accountId: who.id, kind: 'reset.blocked' }, 10)).map(({ reason }) => reason),
    ).toEqual(['not-registered'])
  })

  it('RS-3: fifteen minutes in all: a reset that took longer begins anew at the sign-in page of the same request', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await gates(w, b, who)
    expect(at(b)).toBe('new-password')
    const late = b.clone()
    w.clock.tick(15 * 60_000)
    const password = newPassword()
    await choose(late, password)
    expect(at(late)).toBe('sign-in !change_expired')
    expect(late.now?.html).toContain('a password is reset or changed within a short time, or not at all')
    expect(await opens(w, who, password)).toBe(false)
    const code = await enter(w, anyone(w), who)
    expect(leaked(code)).toBe(true)
  })

  it('RS-3: a mailed code is good for ten minutes', async () => {
    const w = await here.enter()
    const who = await owner(w, someone())
    for (const [after, page] of [
      [599_000, 'choose-method'],
      [601_000, 'prove email !code_expired'],
    ] as const) {
      const b = anyone(w)
      await forgot(w, b)
      await named(b, who.username)
      w.clock.tick(61_000)
      const mails = w.outbox.mails().length
      await b.submit({ method: 'email' })
      let code: string | undefined
      while (code === undefined) {
        await new Promise((done) => setTimeout(done, 2))
        code = /\b(\d{4}\s?\d{4})\b/.exec(w.outbox.mails().slice(mails).at(-1)?.text ?? '')?.[1]
      }
      w.clock.tick(after)
      await b.submit({ code, action: 'continue' })
      expect(at(b)).toBe(page)
    }
  })

  it('where nobody may reset, the link is not offered and the post is not taken', async () => {
    const policy = { ...defaultPolicy, reset: { ...defaultPolicy.reset, scope: 'none' as const } }
    const w = await here.enter({ policy })
    const b = anyone(w)
    await b.open(w.authorize())
    expect(b.now?.html).not.toContain('value="forgot"')
    await b.submit({ action: 'forgot' })
    expect(marks(b.now?.html ?? '').page).toBe('sign-in')
  })

  it('Back, reload and a second click lose nothing', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await forgot(w, b)
    const early = b.clone()
    await named(b, who.username)
    await b.submit({ method: 'totp' })
    w.clock.tick(30_000)
    const code = totpCode(who.secret, w.clock.now())
    const twin = b.clone()
    await Promise.all([b.submit({ code, action: 'continue' }), twin.submit({ code, action: 'continue' })])
    await b.open(b.now?.url ?? '')
    expect([at(b), methodsOn(b.now?.html)]).toEqual(['choose-method', ['recovery-codes', 'email']])
    // The form of an earlier page shows where things stand.
    await named(early, 'somebody-else')
    expect(at(early)).toBe('choose-method')
    await byCode(b, who)
    const again = b.clone()
    const password = newPassword()
    await choose(b, password)
    expect(at(b)).toBe('changed')
    await choose(again, newPassword())
    expect(at(again)).toBe('changed')
    expect(await opens(w, who, password)).toBe(true)
  })
})

const methodsOn = (html = ''): string[] =>
  [...html.matchAll(/name="method"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="method"/g)].map(
    ([, a, b]) => a ?? b ?? '',
  )
