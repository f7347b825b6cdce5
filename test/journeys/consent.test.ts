// Consent for a third party, none for a first party; and the language of the pages.
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import type { ClientMetadata } from 'oidc-provider'
import { type Database, eachStore } from '../stores.ts'
import { passwordOf, register, RP, type World, world } from '../world.ts'
import { at, returned } from './steps.ts'

const clientOf = (id: string, more: Partial<ClientMetadata> = {}): ClientMetadata => ({
  client_id: id,
  client_secret: 'rp-secret',
  redirect_uris: [`${RP}/cb`],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  ...more,
})

eachStore('consent and language', (database) => {
  let shared: Database
  let w: World
  beforeEach(async () => {
    shared ??= await database()
    w = await world({
      store: await shared.open(),
      clients: [clientOf('rp'), clientOf('shop', { client_name: 'A <b>shop</b>', client_uri: 'https://shop.example' })],
      options: { firstParty: (id) => id === 'rp' },
    })
  })
  afterEach(() => w.close())

  it('a third party asks once, naming itself and what it wants; a first party does not ask', async () => {
    await w.add('careful')
    const b = w.browser()
    await register(w, b, 'careful', { client_id: 'shop' })
    expect(at(b)).toBe('consent')
    expect(b.now?.html).toContain('A &lt;b&gt;shop&lt;/b&gt;')
    expect(b.now?.html).not.toContain('<b>shop')
    expect(returned(await b.submit({ action: 'continue' }))).toHaveProperty('code')
    expect(returned(await b.open(w.authorize({ client_id: 'shop' })))).toHaveProperty('code')
    expect(returned(await b.open(w.authorize()))).toHaveProperty('code')
  })

  it('refusing answers access_denied, and the third party asks again next time', async () => {
    await w.add('wary')
    const b = w.browser()
    await register(w, b, 'wary', { client_id: 'shop' })
    expect(returned(await b.submit({ action: 'cancel' }))).toMatchObject({ error: 'access_denied', state: 'state' })
    await b.open(w.authorize({ client_id: 'shop' }))
    expect(at(b)).toBe('consent')
    expect(returned(await b.open(w.authorize({ client_id: 'shop', prompt: 'none' })))).toMatchObject({
      error: 'consent_required',
    })
  })

  it('WB-1: consent needs the token of its own page', async () => {
    await w.add('forged')
    const b = w.browser()
    await register(w, b, 'forged', { client_id: 'shop' })
    const forged = await b.request(b.now?.url ?? '', { form: { step: 'x', action: 'continue' } })
    expect(forged.status).toBe(403)
    expect(forged.html).toContain('data-problem="foreign_origin"')
  })

  it('ui_locales of the request, the switch on the page and Accept-Language choose the language', async () => {
    const b = w.browser()
    await b.open(w.authorize({ ui_locales: 'zh-TW en' }))
    expect(b.now?.html).toContain('<html lang="zh-TW">')
    expect(b.now?.headers.get('content-language')).toBe('zh-TW')
    await b.open(`${b.now?.url}?ui_locales=en`)
    expect(b.now?.html).toContain('<html lang="en">')
    // The switch is remembered by a cookie, over what a relying party wishes.
    await b.open(w.authorize({ ui_locales: 'zh-TW' }))
    expect(b.now?.html).toContain('<html lang="en">')
    const c = w.browser()
    c.headers = { 'accept-language': 'fr, zh-TW;q=0.8, en;q=0.5' }
    await c.open(w.authorize())
    expect(c.now?.html).toContain('<html lang="zh-TW">')
    c.headers = { 'accept-language': 'fr' }
    await c.open(w.authorize())
    expect(c.now?.html).toContain('<html lang="en">')
  })

  it('the wizard and its mail speak the language of the request', async () => {
    await w.add('mandarin')
    const b = w.browser()
    const asked = { ui_locales: 'zh-TW' }
    await b.open(w.authorize(asked))
    await b.submit({ username: 'mandarin', password: 'wrong', action: 'continue' })
    expect(b.now?.html).toMatch(/role="alert"[^]*\p{Script=Han}/u)
    await b.submit({ username: 'mandarin', password: passwordOf('mandarin'), action: 'continue' })
    await b.submit({ action: 'continue' })
    await w.code('mandarin@example.org')
    expect(b.now?.html).toContain('<html lang="zh-TW">')
    const mail = w.outbox.mails().find(({ to }) => to === 'mandarin@example.org')
    expect(mail?.subject).toMatch(/\p{Script=Han}/u)
    expect(mail?.text).toMatch(/\p{Script=Han}/u)
    expect(mail?.html).toContain('zh-TW')
  })
})
