// Step-up as relying parties see it: the second factor alone, truthful `acr`, `amr` and `auth_time`, through refresh and introspection.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { discovery, allowInsecureRequests, ClientSecretBasic } from 'openid-client'
import { acr } from '../../src/flows/finish.ts'
import { totpCode } from '../authenticator.ts'
import type { Browser } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, register, type Tokens, type World, world } from '../world.ts'
import { enter, owner } from './owner.ts'
import { at, returned } from './steps.ts'

/** A user may browse with a password: registration is not due, and a factor is only asked of who has one. */
const browsing = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }
/** Every code brings a refresh token, so that no consent page comes between. */
const host = { issueRefreshToken: async () => true }
const MFA = { acr_values: acr.multiFactor }

async function asClient(w: World, path: string, form: Record<string, string>): Promise<Record<string, unknown>> {
  const answer = await fetch(`${w.issuer}${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('rp:rp-secret').toString('base64')}` },
    body: new URLSearchParams(form),
  })
  return { status: answer.status, ...((await answer.json()) as object) }
}
const introspect = (w: World, { access_token: token = '' }: Tokens) => asClient(w, '/token/introspection', { token })
const payload = (jwt: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(jwt).split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>

eachStore('step-up', (database) => {
  let w: World
  beforeAll(async () => {
    w = await world({ store: await (await database()).open(), policy: browsing, host })
  })
  afterAll(() => w.close())

  /** A session with the password alone, whose account has got a factor since, in another browser. */
  async function late(username: string): Promise<{ b: Browser; secret: string; before: Tokens }> {
    const b = w.browser()
    await w.add(username)
    await b.open(w.authorize())
    const before = await w.exchange(await b.submit({ username, password: passwordOf(username), action: 'continue' }))
    Object.assign(w.policy.registration, { required: true })
    const { secret } = await register(w, w.browser(), username)
    Object.assign(w.policy.registration, { required: false })
    return { b, secret, before }
  }

  it('OI-4, EN-13: the second factor alone; acr and amr rise, auth_time stays, also in introspection and after refresh', async () => {
    const { b, secret, before } = await late('late')
    expect([before.claims['acr'], before.claims['amr']]).toEqual([acr.password, ['pwd']])
    await b.open(w.authorize(MFA))
    expect(at(b)).toBe('prove totp')
    w.clock.tick(30_000)
    const tokens = await w.exchange(await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' }))
    const proven = { acr: acr.multiFactor, amr: ['pwd', 'otp', 'mfa'], auth_time: before.claims['auth_time'] }
    expect(tokens.claims).toMatchObject(proven)
    expect(await introspect(w, tokens)).toMatchObject({ active: true, ...proven })
    const again = await asClient(w, '/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token ?? '',
    })
    expect(again['status']).toBe(200)
    expect(payload(again['id_token'])).toMatchObject(proven)
    expect(await introspect(w, again as unknown as Tokens)).toMatchObject({ active: true, ...proven })
    // What was issued before says what was proven then, for ever.
    expect(await introspect(w, before)).toMatchObject({ acr: acr.password, amr: ['pwd'] })
  })

  it('OI-4: a user without a second factor registers one, and only for who asks', async () => {
    const b = w.browser()
    await w.add('new')
    await b.open(w.authorize())
    expect(
      returned(await b.submit({ username: 'new', password: passwordOf('new'), action: 'continue' })),
    ).toHaveProperty('code')
    await b.open(w.authorize(MFA))
    expect(at(b)).toBe('password')
    await b.submit({ password: passwordOf('new'), action: 'continue' })
    expect(at(b)).toBe('registration')
    // No "not now" where a factor is demanded.
    expect(b.now?.html).not.toContain('value="skip"')
    await b.submit({ action: 'skip' })
    expect(at(b)).toBe('registration !no_skips_left')
    expect(returned(await b.submit({ action: 'cancel' }))).toMatchObject({ error: 'access_denied' })
    const plain = await w.exchange(await b.open(w.authorize()))
    expect(plain.claims).toMatchObject({ acr: acr.password, amr: ['pwd'] })
  })

  it('a step-up that failed leaves the session as it was', async () => {
    const { b } = await late('failing')
    await b.open(w.authorize(MFA))
    for (let guess = 0; guess < 3; guess++) await b.submit({ code: '000000', action: 'continue' })
    expect(at(b)).toMatch(/^prove totp !wrong_code/)
    expect(returned(await b.submit({ action: 'cancel' }))).toMatchObject({ error: 'access_denied' })
    const silent = returned(await b.open(w.authorize({ ...MFA, prompt: 'none' })))
    expect(silent['error']).toBe('interaction_required')
  })

  it('OI-3: who cannot reach it is told by a page, and the relying party by its error', async () => {
    const who = await owner(w, 'switched-off')
    const b = w.browser()
    const account = await w.account('switched-off')
    const disabled = account.credentials.map((one) =>
      one.method === 'totp' ? { ...one, disabled: true as const } : one,
    )
    await w.store.accounts.replace(
      {
        ...account,
        credentials: disabled.filter(({ method }) => method !== 'recovery-codes'),
        version: account.version + 1,
      },
      account.version,
    )
    await b.open(w.authorize(MFA))
    await b.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('error !no_usable_method')
    expect(returned(await b.submit({ action: 'leave' }))).toMatchObject({ error: 'unmet_authentication_requirements' })
    // Nobody demanded it: the same way out is a cancellation.
    await b.open(w.authorize())
    await b.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('error !no_usable_method')
    expect(returned(await b.submit({ action: 'leave' }))).toMatchObject({ error: 'access_denied' })
  })

  it('a policy that tightens: a refresh token issued for less is refused, one for enough is not', async () => {
    const { b, secret } = await late('tightened')
    const less = w.browser()
    await w.add('less')
    await less.open(w.authorize())
    await less.submit({ username: 'less', password: passwordOf('less'), action: 'continue' })
    const weak = await w.exchange(less.now as never)
    await enter(w, b, { username: 'tightened', secret }, { authorize: { prompt: 'login' } })
    const strong = await w.exchange(b.now as never)
    const refresh = (tokens: Tokens) =>
      asClient(w, '/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' })
    Object.assign(w.policy, { clients: { rp: { prompts: [], mfa: 'required' } } })
    try {
      expect(await refresh(weak)).toMatchObject({ status: 400, error: 'invalid_grant' })
      expect(await refresh(strong)).toMatchObject({ status: 200 })
    } finally {
      Object.assign(w.policy, { clients: {} })
    }
  })
})

describe('discovery', () => {
  it('names the prompts, the acr values and the claims', async () => {
    const w = await world()
    const found = await discovery(new URL(w.issuer), 'rp', undefined, ClientSecretBasic('rp-secret'), {
      execute: [allowInsecureRequests],
    })
    const metadata = found.serverMetadata()
    expect(metadata['prompt_values_supported']).toEqual(
      expect.arrayContaining(['none', 'login', 'change_password', 'forgot_password', 'security_info_registration']),
    )
    expect(metadata.acr_values_supported).toEqual([acr.password, acr.multiFactor])
    expect(metadata.claims_supported).toEqual(expect.arrayContaining(['acr', 'amr', 'auth_time', 'action_status']))
    expect(metadata.claims_parameter_supported).toBe(true)
    await w.close()
  })
})
