// From the sign-in page through forced registration to tokens, and the sign-ins after it; openid-client is the relying party.
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import * as client from 'openid-client'
import { totpCode } from '../authenticator.ts'
import { hidden, type Response } from '../browser.ts'
import { type Database, eachStore } from '../stores.ts'
import { passwordOf, RP, register, signIn, type World, world } from '../world.ts'
import { at, password, registered, returned } from './steps.ts'

const mfa = 'urn:oidc-self-service:acr:mfa'

async function relyingParty(w: World, id = 'rp') {
  const config = await client.discovery(new URL(w.issuer), id, 'rp-secret', undefined, {
    execute: [client.allowInsecureRequests],
  })
  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const challenge = await client.calculatePKCECodeChallenge(verifier)
  return {
    config,
    request: {
      client_id: id,
      scope: 'openid profile email offline_access',
      prompt: 'consent',
      state,
      nonce,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    },
    redeem: (response: Response) =>
      client.authorizationCodeGrant(config, new URL(response.location ?? ''), {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
      }),
  }
}

eachStore('forced registration', (database) => {
  let shared: Database
  let w: World
  beforeEach(async () => {
    shared ??= await database()
    w = await world({ store: await shared.open(), host: { rotateRefreshToken: true } })
  })
  afterEach(() => w.close())

  it('EN-13, OI-7: sign in, register, and be back at the relying party with truthful tokens', async () => {
    const account = await w.add('alice', { name: 'Alice' })
    const rp = await relyingParty(w)
    const b = w.browser()
    const before = Math.floor(w.clock.now() / 1000)

    const { prompt: _first, ...request } = rp.request
    await b.open(w.authorize(request))
    expect(at(b)).toBe('sign-in')
    await b.submit({ username: 'alice', password: passwordOf('alice'), action: 'continue' })
    expect(at(b)).toBe('registration')
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('prove email')
    await b.submit({ code: await w.code('alice@example.org'), action: 'continue' })
    expect(at(b)).toBe('enrol totp')
    await b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })
    expect(at(b)).toBe('enrol recovery-codes')
    expect(new Set(b.recoveryCodes).size).toBe(10)
    await b.submit({ acknowledged: 'yes', action: 'continue' })
    expect(at(b)).toBe('registered')
    for (const method of ['email', 'totp', 'recovery-codes']) expect(await registered(w, 'alice')).toContain(method)

    const tokens = await rp.redeem(await b.submit({ action: 'continue' }))
    const claims = tokens.claims()
    expect(claims).toMatchObject({ sub: account.id, acr: mfa, amr: ['pwd', 'otp', 'mfa'] })
    expect(claims?.auth_time).toBeGreaterThanOrEqual(before)
    expect(claims?.auth_time).toBeLessThanOrEqual(Math.ceil(w.clock.now() / 1000))
    const info = await client.fetchUserInfo(rp.config, tokens.access_token, account.id)
    expect(info).toMatchObject({ preferred_username: 'alice', name: 'Alice', email: 'alice@example.org' })
  })

  it('OI-5: refresh tokens rotate, and a used one ends the family', async () => {
    const account = await w.add('rotating')
    const rp = await relyingParty(w)
    const b = w.browser()
    await register(w, b, 'rotating', rp.request)
    // `offline_access` needs `prompt=consent` (OpenID Connect Core 11), so even a first party's user is asked.
    expect(at(b)).toBe('consent')
    const first = await rp.redeem(await b.submit({ action: 'continue' }))
    const second = await client.refreshTokenGrant(rp.config, first.refresh_token ?? '')
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect(second.claims()).toMatchObject({ sub: account.id, acr: mfa })
    await expect(client.refreshTokenGrant(rp.config, first.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    })
    await expect(client.refreshTokenGrant(rp.config, second.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    })
  })

  it('sign-out that the relying party starts passes our pages and ends there', async () => {
    await w.add('leaving')
    const rp = await relyingParty(w)
    const b = w.browser()
    const { prompt: _none, ...request } = rp.request
    const { response } = await register(w, b, 'leaving', request)
    const tokens = await rp.redeem(response)
    const end = client.buildEndSessionUrl(rp.config, {
      id_token_hint: tokens.id_token ?? '',
      post_logout_redirect_uri: RP,
      state: 'out',
    })
    await b.open(end.href)
    expect(b.now?.html).toContain('data-page="message"')
    const form = /<form[^>]*id="op\.logoutForm"[^>]*action="([^"]*)"/.exec(b.now?.html ?? '')?.[1] ?? ''
    const back = await b.open(await b.request(form, { form: { ...hidden(b.now?.html ?? ''), logout: 'yes' } }))
    expect(returned(back)).toEqual({ state: 'out' })
    const silent = await b.open(w.authorize({ prompt: 'none' }))
    expect(returned(silent)).toMatchObject({ error: 'login_required' })
  })

  it('TO-3: the second sign-in asks for password and code only, and refuses the same code again', async () => {
    await w.add('again')
    const { secret } = await register(w, w.browser(), 'again')
    w.clock.tick(30_000)
    const code = totpCode(secret, w.clock.now())
    const [b, thief] = [w.browser(), w.browser()]
    await password(w, b, 'again')
    expect(at(b)).toBe('prove totp')
    const done = await b.submit({ code, action: 'continue' })
    const tokens = await w.exchange(done)
    expect(tokens.claims).toMatchObject({ acr: mfa, amr: ['pwd', 'otp', 'mfa'] })

    await password(w, thief, 'again')
    await thief.submit({ code, action: 'continue' })
    expect(at(thief)).toBe('prove totp !code_used')
    expect(thief.now?.status).toBe(422)
  })

  it('TO-3: the code that confirmed the registration does not sign in as well', async () => {
    await w.add('confirmed')
    const { secret } = await register(w, w.browser(), 'confirmed')
    const b = w.browser()
    await password(w, b, 'confirmed')
    await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
    expect(at(b)).toBe('prove totp !code_used')
  })

  it('RC-3: a recovery code signs in once, in any spelling', async () => {
    await w.add('lost')
    const { recoveryCodes } = await register(w, w.browser(), 'lost')
    const code = recoveryCodes[0] ?? ''
    const b = w.browser()
    await password(w, b, 'lost')
    await b.submit({ action: 'other_method' })
    expect(at(b)).toBe('choose-method')
    await b.submit({ method: 'recovery-codes' })
    expect(at(b)).toBe('prove recovery-codes')
    const done = await b.submit({ code: code.toLowerCase().replaceAll('-', ' '), action: 'continue' })
    expect((await w.exchange(done)).claims).toMatchObject({ acr: mfa, amr: ['pwd', 'otp', 'mfa'] })

    const again = w.browser()
    await password(w, again, 'lost')
    await again.submit({ method: 'recovery-codes' })
    await again.submit({ code, action: 'continue' })
    expect(at(again)).toBe('prove recovery-codes !code_used')
    const other = await again.submit({ code: recoveryCodes[1] ?? '', action: 'continue' })
    expect(returned(other)).toHaveProperty('code')
  })

  it('the authenticator is offered first, also after a recovery code was used', async () => {
    await w.add('first')
    const { recoveryCodes, secret } = await register(w, w.browser(), 'first')
    const b = w.browser()
    await password(w, b, 'first')
    expect(at(b)).toBe('prove totp')
    await b.submit({ action: 'other_method' })
    expect([...(b.now?.html ?? '').matchAll(/name="method" value="([^"]*)"/g)].map(([, id]) => id)).toEqual([
      'totp',
      'recovery-codes',
    ])
    await b.submit({ method: 'recovery-codes' })
    await b.submit({ code: recoveryCodes[0] ?? '', action: 'continue' })
    expect(returned(await signIn(w, w.browser(), 'first', secret))).toHaveProperty('code')
    const later = w.browser()
    await password(w, later, 'first')
    expect(at(later)).toBe('prove totp')
  })

  it('a second client of the same browser gets its tokens without a page', async () => {
    await w.add('sso')
    const b = w.browser()
    const { response } = await register(w, b, 'sso')
    const first = await w.exchange(response)
    const silent = await b.open(w.authorize({ state: 'second', nonce: 'second' }))
    expect(returned(silent)).toMatchObject({ state: 'second' })
    const second = await w.exchange(silent)
    expect(second.claims).toMatchObject({ sub: first.claims['sub'], nonce: 'second', acr: mfa })
    expect(second.claims['auth_time']).toBe(first.claims['auth_time'])
  })
})
