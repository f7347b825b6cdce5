// The attacker has a right password and wants a code without registering: other tabs, Back, the resume address, silent and
// pushed requests, device codes, a host's own sign-in page. Nothing half-finished may count as an answer, at no step.
import { createHmac } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Configuration } from 'oidc-provider'
import type { Context } from 'koa'
import { totpCode } from '../authenticator.ts'
import type { Browser, Response } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, register, RP, signIn, type World } from '../world.ts'
import {
  anyone,
  arena,
  back,
  errorOf,
  leaked,
  resumeAddress,
  silently,
  someone,
  stepNames,
  steps,
  walk,
} from './attacker.ts'

const relyingParty = (id: string) =>
  ({
    client_id: id,
    client_secret: 'rp-secret',
    redirect_uris: [`${RP}/cb`],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code', 'none'],
  }) as const
const clients = [relyingParty('rp'), relyingParty('rp2')] as unknown as NonNullable<Configuration['clients']>

const relaxed = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }

/** An account that could sign in with its password alone while policy did not ask, and the session that it left. */
async function oldSession(w: World): Promise<{ b: Browser; username: string }> {
  const username = someone()
  const b = anyone(w)
  await w.add(username)
  w.policy.registration.required = false
  await b.open(w.authorize())
  const response = await b.submit({ username, password: passwordOf(username), action: 'continue' })
  expect(leaked(response)).toBe(true)
  w.policy.registration.required = true
  return { b, username }
}

const asked = (b: Browser): void => {
  expect(leaked(b.now as Response)).toBe(false)
  expect(['sign-in', 'password', 'registration', 'prove', 'enrol']).toContain(b.page.page)
}

eachStore('EN-3: around registration', (database) => {
  const at = arena(database)

  describe.each(stepNames.map((name, index) => [name, index] as const))('after the step "%s"', (_name, index) => {
    it('EN-3: the resume address, taken directly and twice, gives no code and keeps the request', async () => {
      const w = await at.enter()
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      await walk(w, b, username, index)
      const address = resumeAddress(w, b)
      const twin = b.clone()
      const first = await b.open(address)
      expect(leaked(first)).toBe(false)
      const second = await twin.open(address)
      expect(leaked(second)).toBe(false)
      expect(errorOf(await silently(w, b))).toBe('login_required')
    })

    it('EN-3: a second tab, Back and a silent request give no code; the first tab can still finish', async () => {
      const w = await at.enter({ clients })
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      await walk(w, b, username, index)
      const here = b.now as Response
      expect(errorOf(await silently(w, b))).toBe('login_required')
      expect(errorOf(await silently(w, b, { client_id: 'rp2' }))).toBe('login_required')
      const tab = b.clone()
      await tab.open(w.authorize({ client_id: 'rp2' }))
      expect(tab.page.page).toBe('sign-in')
      b.cookies = tab.cookies
      b.now = here
      await b.open(here.url)
      let last: Response = here
      for (const step of steps.slice(index + 1)) last = await step(w, b, username)
      last = await b.submit({ action: 'continue' })
      expect(leaked(last)).toBe(true)
    })

    it('EN-3: cancelled is access_denied, and the next request starts from the beginning', async () => {
      const w = await at.enter()
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      await walk(w, b, username, index)
      const cancelled = await b.submit({ action: 'cancel' })
      expect(errorOf(cancelled)).toBe('access_denied')
      expect(leaked(cancelled)).toBe(false)
      expect(errorOf(await silently(w, b))).toBe('login_required')
      await b.open(w.authorize())
      expect(b.page.page).toBe('sign-in')
    })
  })

  it('EN-3: an old session is stopped for every kind of request', async () => {
    const w = await at.enter({ clients, policy: relaxed })
    const { b } = await oldSession(w)
    for (const more of [
      {},
      { client_id: 'rp2' },
      { prompt: 'consent' },
      { prompt: 'login' },
      { max_age: '0' },
      { max_age: '100000' },
      { response_mode: 'form_post' },
      { response_mode: 'fragment' },
      { response_type: 'none' },
      { acr_values: 'urn:oidc-self-service:acr:pwd' },
      { scope: 'openid offline_access', prompt: 'consent' },
      { claims: JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:oidc-self-service:acr:pwd' } } }) },
    ] as Record<string, string>[]) {
      const again = more['prompt'] === 'login' || more['max_age'] === '0'
      await b.open(w.authorize(more))
      expect([more, b.page.page]).toEqual([more, again ? 'sign-in' : 'password'])
      expect(leaked(b.now as Response)).toBe(false)
      await b.open(resumeAddress(w, b))
      expect([more, b.page.page]).toEqual([more, again ? 'sign-in' : 'password'])
    }
    expect(errorOf(await silently(w, b))).toBe('interaction_required')
  })

  it('OI-1: prompt=none of an old session is interaction_required, for every client and response mode', async () => {
    const w = await at.enter({ clients, policy: relaxed })
    const { b } = await oldSession(w)
    for (const more of [{}, { client_id: 'rp2' }, { response_type: 'none' }] as Record<string, string>[]) {
      expect(errorOf(await silently(w, b, more))).toBe('interaction_required')
    }
    const posted = await silently(w, b, { response_mode: 'form_post' })
    expect(leaked(posted)).toBe(false)
    expect(posted.html).toContain('interaction_required')
    w.policy.registration.required = false
    expect(leaked(await silently(w, b))).toBe(true)
  })

  it('EN-3: the same by POST, by PAR, by a request object', async () => {
    const w = await at.enter({
      clients,
      policy: relaxed,
      host: {
        features: { requestObjects: { enabled: true } },
        enableHttpPostMethods: true,
        // What the provider demands for requests by POST from other sites.
        cookies: { long: { sameSite: 'none' } },
      },
    })
    const { b } = await oldSession(w)
    const query = Object.fromEntries(new URL(w.authorize()).searchParams)

    const post = b.clone()
    await post.open(await post.request(`${w.issuer}/auth`, { form: query }))
    expect(post.page.page).toBe('password')

    const pushed = await back(w, '/request', query)
    expect(pushed.status).toBe(201)
    const par = post.clone()
    await par.open(
      `${w.issuer}/auth?${new URLSearchParams({ client_id: 'rp', request_uri: String(pushed['request_uri']) })}`,
    )
    expect(par.page.page).toBe('password')
    await par.open(resumeAddress(w, par))
    expect(par.page.page).toBe('password')

    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const unsigned = `${part({ alg: 'HS256', typ: 'oauth-authz-req+jwt' })}.${part({ ...query, iss: 'rp', aud: w.issuer })}`
    const request = `${unsigned}.${createHmac('sha256', 'rp-secret').update(unsigned).digest('base64url')}`
    const jar = par.clone()
    await jar.open(`${w.issuer}/auth?${new URLSearchParams({ client_id: 'rp', request })}`)
    expect(jar.page.page).toBe('password')
    expect(errorOf(await silently(w, jar))).toBe('interaction_required')
  })

  it('EN-3: a device gets no token before its user is registered', async () => {
    const w = await at.enter({ clients, policy: relaxed })
    const { b, username } = await oldSession(w)
    const fresh = anyone(w)
    for (const [browser, first] of [
      [b, 'password'],
      [fresh, 'sign-in'],
    ] as const) {
      const device = await back(w, '/device/auth', { client_id: 'rp', scope: 'openid' })
      const poll = () =>
        back(w, '/token', {
          grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
          device_code: String(device['device_code']),
        })
      await browser.open(`${w.issuer}/device?user_code=${String(device['user_code'])}`)
      await browser.open(
        await browser.request(`${w.issuer}/device`, {
          form: { ...deviceForm(browser), user_code: String(device['user_code']), confirm: 'yes' },
        }),
      )
      expect(browser.page.page).toBe(first)
      expect((await poll())['error']).toBe('authorization_pending')
      await browser.open(resumeAddress(w, browser))
      expect((await poll())['error']).toBe('authorization_pending')
      await browser.submit({ username, password: passwordOf(username), action: 'continue' })
      expect(browser.page.page).toBe('registration')
      await browser.open(resumeAddress(w, browser))
      expect((await poll())['error']).toBe('authorization_pending')
    }
  })

  it('EN-4: a session whose factor was taken away is stopped again', async () => {
    const w = await at.enter({ clients })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    expect(leaked((await register(w, b, username)).response)).toBe(true)
    expect(leaked(await silently(w, b))).toBe(true)
    const account = await w.account(username)
    await w.store.accounts.replace({ ...account, credentials: [], version: account.version + 1 }, account.version)
    expect(errorOf(await silently(w, b))).toBe('interaction_required')
    await b.open(w.authorize({ client_id: 'rp2' }))
    asked(b)
  })

  it('EN-4: policy switched on while somebody is at the last page stops them; switched off, it lets them on', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    w.policy.registration.required = false
    await b.open(w.authorize())
    w.policy.registration.required = true
    const response = await b.submit({ username, password: passwordOf(username), action: 'continue' })
    expect(leaked(response)).toBe(false)
    expect(b.page.page).toBe('registration')
    w.policy.registration.required = false
    expect(leaked(await b.submit({ action: 'continue' }))).toBe(true)
    w.policy.registration.required = true
    expect(errorOf(await silently(w, b))).toBe('interaction_required')
  })

  it('EN-4: what was registered and is taken away before the last page is asked for again', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await walk(w, b, username, 5)
    expect(b.page.page).toBe('registered')
    const account = await w.account(username)
    await w.store.accounts.replace({ ...account, credentials: [], version: account.version + 1 }, account.version)
    const response = await b.submit({ action: 'continue' })
    expect(leaked(response)).toBe(false)
    expect(errorOf(await silently(w, b))).not.toBeNull()
    expect(leaked(await b.open(resumeAddress(w, b)))).toBe(false)
  })

  it('EN-3: a "not now" that policy does not leave is refused, however it is posted', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await walk(w, b, username, 1)
    for (const fields of [{ action: 'skip' }, { action: 'skip', method: 'email' }] as Record<string, string>[]) {
      const response = await b.clone().submit(fields)
      expect(leaked(response)).toBe(false)
    }
    await b.submit({ action: 'continue' })
    await b.submit({ action: 'skip' })
    expect(leaked(b.now as Response)).toBe(false)
    expect((await w.account(username)).grace.skips).toBe(0)
    expect((await w.account(username)).credentials).toEqual([])
  })

  it('EN-8: one "not now" left is spent once, by twenty at the same time', async () => {
    const w = await at.enterTwo({
      policy: { ...defaultPolicy, registration: { ...defaultPolicy.registration, grace: { skips: 1, snoozeDays: 0 } } },
    })
    const username = someone()
    await w.add(username)
    const browsers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const b = anyone(w)
        await walk(w, b, username, 1)
        return b
      }),
    )
    const answers = await Promise.all(browsers.map((b) => b.submit({ action: 'skip' })))
    expect(answers.map((answer) => (leaked(answer) ? 'signed in' : String(answer.status))).toSorted()).toEqual([
      ...Array.from({ length: 19 }, () => '422'),
      'signed in',
    ])
    expect((await w.account(username)).grace.skips).toBe(1)
  })

  it('EN-3: a host that answers `login` on a page of its own gets no code for an unregistered account', async () => {
    const w = await at.enter()
    const username = someone()
    const account = await w.add(username)
    const answered: unknown[] = []
    w.provider.use(async (ctx: Context, next: () => Promise<unknown>) => {
      const result = /^\/interaction\/[^/]+\/host$/.test(ctx.path) && answered.pop()
      if (!result) return next()
      ctx.redirect(await w.provider.interactionResult(ctx.req, ctx.res, result as never))
      return undefined
    })
    for (const result of [
      { login: { accountId: account.id } },
      { login: { accountId: account.id, epoch: account.epoch } },
      { login: { accountId: account.id, epoch: account.epoch, amr: ['pwd', 'otp', 'mfa'] } },
      { login: { accountId: account.id, epoch: account.epoch }, second_factor: {}, security_info_registration: {} },
      { security_info_registration: {} },
      { consent: { grantId: 'none' } },
    ]) {
      const b = anyone(w)
      await b.open(w.authorize())
      answered.push(result)
      const response = await b.open(`${(b.now as Response).url}/host`)
      expect(leaked(response)).toBe(false)
      expect(response.status).toBe(200)
      asked(b)
      expect(['login_required', 'interaction_required']).toContain(errorOf(await silently(w, b)))
    }
  })

  it('EN-3: a host that answers `login` itself, for a registered account, has the second factor asked', async () => {
    const w = await at.enter()
    const username = someone()
    const account = await w.add(username)
    w.provider.use(async (ctx: Context, next: () => Promise<unknown>) => {
      if (!/^\/interaction\/[^/]+\/host$/.test(ctx.path)) return next()
      ctx.redirect(await w.provider.interactionResult(ctx.req, ctx.res, { login: { accountId: account.id } }))
      return undefined
    })
    const { secret } = await register(w, anyone(w), username)
    const b = anyone(w)
    await b.open(w.authorize())
    const response = await b.open(`${(b.now as Response).url}/host`)
    expect(leaked(response)).toBe(false)
    expect(b.page).toMatchObject({ page: 'prove', method: 'totp' })
    w.clock.tick(30_000)
    expect(leaked(await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' }))).toBe(true)
  })

  it('EN-3: a registered account is not stopped: the tests above can fail', async () => {
    const w = await at.enter({ clients })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    const { secret } = await register(w, b, username)
    expect(leaked(await silently(w, b))).toBe(true)
    expect(leaked(await b.open(w.authorize({ client_id: 'rp2' })))).toBe(true)
    expect(leaked(await signIn(w, anyone(w), username, secret, { response_mode: 'form_post' }))).toBe(true)
  })
})

const deviceForm = (b: Browser): Record<string, string> => {
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(b.now?.html ?? '')?.[1]
  return xsrf ? { xsrf } : {}
}
