// A relying party, a user or somebody between them wants a token that says more than was proven.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { acr } from '../../src/flows/finish.ts'
import { totpCode } from '../authenticator.ts'
import type { Browser } from '../browser.ts'
import { enter, gates, newPassword, choose, owner } from '../journeys/owner.ts'
import { at, returned } from '../journeys/steps.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, RP, type World, world } from '../world.ts'

const prompts = ['change_password', 'forgot_password', 'security_info_registration']
const clients = { rp: { prompts } }
const essential = (value: unknown): string =>
  JSON.stringify({ id_token: { acr: { essential: true, ...(value as object) } } })

eachStore('what was not earned', (database) => {
  let w: World
  beforeAll(async () => {
    w = await world({
      store: await (await database()).open(),
      policy: { ...defaultPolicy, clients },
      clients: [
        {
          client_id: 'rp',
          client_secret: 'rp-secret',
          redirect_uris: [`${RP}/cb`],
          response_types: ['code'],
        },
        { client_id: 'other', client_secret: 'other-secret', redirect_uris: [`${RP}/cb`], response_types: ['code'] },
      ],
    })
  })
  afterAll(() => w.close())

  const change = async (b: Browser, password: string): Promise<void> => {
    await b.submit({ password, action: 'continue' })
    await choose(b, newPassword())
  }

  it('the status of a reset goes to nobody who signs in after it', async () => {
    const a = await owner(w, 'reset-a')
    const other = await owner(w, 'reset-b')
    const b = w.browser()
    await b.open(w.authorize({ prompt: 'forgot_password' }))
    await b.submit({ username: a.username, action: 'continue' })
    w.clock.tick(30_000)
    await b.submit({ method: 'totp' })
    await b.submit({ code: totpCode(a.secret, w.clock.now()), action: 'continue' })
    await b.submit({ method: 'recovery-codes' })
    await b.submit({ code: a.codes.shift() ?? '', action: 'continue' })
    await choose(b, newPassword())
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('sign-in')
    await b.submit({ username: other.username, password: passwordOf(other.username), action: 'continue' })
    w.clock.tick(30_000)
    const back = await b.submit({ code: totpCode(other.secret, w.clock.now()), action: 'continue' })
    expect(returned(back)).not.toHaveProperty('action_status')
    const tokens = await w.exchange(back)
    expect(tokens.claims).not.toHaveProperty('action_status')
  })

  it('EN-12: an action that one account settled is asked of the next one again', async () => {
    const a = await owner(w, 'settled')
    await w.add('next')
    Object.assign(w.policy.registration, { scope: 'none' })
    const b = w.browser()
    await enter(w, b, a)
    await b.open(w.authorize({ prompt: 'security_info_registration change_password' }))
    expect(at(b)).toBe('registered')
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('password')
    // "Not you?": the same request goes on with somebody who registered nothing.
    await b.submit({ action: 'restart' })
    expect(at(b)).toBe('sign-in')
    await b.submit({ username: 'next', password: passwordOf('next'), action: 'continue' })
    expect(at(b)).toBe('registration')
    Object.assign(w.policy.registration, { scope: 'all' })
  })

  it('a status cannot be asked for, and a plain request has none', async () => {
    const a = await owner(w, 'plain')
    const b = w.browser()
    const back = await enter(w, b, a, { authorize: { action_status: 'done' } })
    expect(returned(back)).not.toHaveProperty('action_status')
    expect((await w.exchange(back)).claims).not.toHaveProperty('action_status')
    // Asked for and done; the next request of the same session says nothing of it.
    await b.open(w.authorize({ prompt: 'change_password' }))
    await change(b, passwordOf(a.username))
    expect(returned(b.now as never)).toMatchObject({ action_status: 'done' })
    expect((await w.exchange(b.now as never)).claims).toMatchObject({ action_status: 'done' })
    const next = await b.open(w.authorize())
    expect((await w.exchange(next)).claims).not.toHaveProperty('action_status')
  })

  it('EN-8: "not now" is skipped, and cancelled is access_denied', async () => {
    Object.assign(w.policy.registration, { grace: { skips: 2, snoozeDays: 0 } })
    await w.add('later')
    const b = w.browser()
    await b.open(w.authorize({ prompt: 'security_info_registration' }))
    await b.submit({ username: 'later', password: passwordOf('later'), action: 'continue' })
    expect(at(b)).toBe('registration')
    const back = await b.submit({ action: 'skip' })
    expect(returned(back)).toMatchObject({ action_status: 'skipped' })
    expect((await w.exchange(back)).claims).toMatchObject({ action_status: 'skipped', acr: acr.password })
    await b.open(w.authorize({ prompt: 'security_info_registration' }))
    expect(at(b)).toBe('password')
    expect(returned(await b.submit({ action: 'cancel' }))).toMatchObject({ error: 'access_denied' })
    Object.assign(w.policy.registration, { grace: { skips: 0, snoozeDays: 0 } })
  })

  it("a foreign client's prompt is refused, also where another may ask for it", async () => {
    const b = w.browser()
    for (const prompt of prompts) {
      const back = await b.open(w.authorize({ client_id: 'other', prompt }))
      expect(returned(back)).toMatchObject({ error: 'invalid_request', state: 'state' })
    }
  })

  it('OI-8, EN-13: a factor shown in one session lends nothing to another', async () => {
    const a = await owner(w, 'two-sessions')
    const [strong, weak] = [w.browser(), w.browser()]
    await enter(w, strong, a)
    await weak.open(w.authorize())
    await weak.submit({ username: a.username, password: passwordOf(a.username), action: 'continue' })
    expect(at(weak)).toBe('prove totp')
    // The half-way request of the one, with the session of the other.
    const half = weak.now?.url ?? ''
    const mixed = strong.clone()
    mixed.cookies = [
      ...mixed.cookies.filter((one) => !/_interaction/.test(one.name)),
      ...weak.cookies.filter((one) => /_interaction/.test(one.name)),
    ]
    await mixed.open(half)
    expect(mixed.now?.location?.startsWith(RP) ?? false).toBe(false)
    expect(at(mixed)).toBe('prove totp')
    const silent = returned(await weak.open(w.authorize({ prompt: 'none', acr_values: acr.multiFactor })))
    expect(silent['error']).toBe('login_required')
  })

  it('RS-8: a reset gives no session, whatever level was asked for', async () => {
    const a = await owner(w, 'resetting')
    const b = w.browser()
    await gates(w, b, a)
    await choose(b, newPassword())
    expect(at(b)).toBe('changed')
    const silent = returned(await b.open(w.authorize({ prompt: 'none' })))
    expect(silent['error']).toBe('login_required')
  })

  describe('bad values', () => {
    const asked: [string, Record<string, string>, string][] = [
      ['claims that are no JSON', { claims: '{' }, 'invalid_request'],
      ['claims that are a list', { claims: '[]' }, 'invalid_request'],
      ['acr values that are a text', { claims: essential({ values: acr.multiFactor }) }, 'invalid_request'],
      ['acr values that are numbers', { claims: essential({ values: [1] }) }, 'invalid_request'],
      ['an acr value that is an object', { claims: essential({ value: {} }) }, 'invalid_request'],
      ['max_age of minus one', { max_age: '-1' }, 'invalid_request'],
      ['max_age in words', { max_age: 'soon' }, 'invalid_request'],
      ['a prompt nobody knows', { prompt: 'consent_twice' }, 'invalid_request'],
      ['a prompt of ours that is not asked for by relying parties', { prompt: 'second_factor' }, 'invalid_request'],
      ['none with another', { prompt: 'none login' }, 'invalid_request'],
      ['an acr nobody knows', { acr_values: 'urn:example:gold' }, 'unmet_authentication_requirements'],
      ['an empty list of essential values', { claims: essential({ values: [] }) }, ''],
      ['an acr that is null', { claims: '{"id_token":{"acr":null}}' }, ''],
      ['names of object members', { acr_values: '__proto__ constructor' }, 'unmet_authentication_requirements'],
      ['10,000 values', { acr_values: 'x '.repeat(3000).trim() }, 'unmet_authentication_requirements'],
      ['languages that are none', { ui_locales: `<script> ../../etc ${'x'.repeat(500)}` }, ''],
      ['a hint with markup', { login_hint: '"><script>alert(1)</script>' }, ''],
      ['a hint of 8,000 characters', { login_hint: 'x'.repeat(8000) }, ''],
    ]
    it.each(asked)('%s', async (_title, asks, error) => {
      const b = w.browser()
      const back = await b.open(w.authorize(asks))
      if (error !== '') return expect(returned(back)).toMatchObject({ error, state: 'state' })
      expect(at(b)).toBe('sign-in')
      return expect(back.html).not.toContain('<script>')
    })
  })
})
