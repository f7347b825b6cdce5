// The pages of signing out: whoever asks, with what, in which language, they answer in our dress and leave for nobody else.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Browser, hidden, marks, type Response } from '../browser.ts'
import { defaultPolicy, passwordOf, RP, type World, world } from '../world.ts'
import { returned } from './steps.ts'

const policy = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }
const foreign = 'http://evil.example/'

describe('pages of signing out', () => {
  let w: World
  beforeAll(async () => {
    w = await world({ policy })
  })
  afterAll(() => w.close())

  let names = 0
  async function signedIn(language = 'en'): Promise<{ b: Browser; token: string }> {
    const username = `person${(names += 1)}`
    await w.add(username)
    const b = w.browser()
    b.headers['accept-language'] = language
    await b.open(w.authorize())
    await b.submit({ username, password: passwordOf(username), action: 'continue' })
    const { id_token: token = '' } = await w.exchange(b.now as Response)
    return { b, token }
  }
  const end = (more: Record<string, string> = {}) => `${w.issuer}/session/end?${new URLSearchParams(more)}`
  const confirm = (b: Browser, more: Record<string, string> = { logout: 'yes' }) =>
    b.request(`${w.issuer}/session/end/confirm`, { form: { ...hidden(b.now?.html ?? ''), ...more } })
  const alive = async (b: Browser) => 'code' in returned(await b.clone().open(w.authorize({ prompt: 'none' })))
  /** In our dress, in that language, and not kept by the browser. */
  const dressed = (response: Response | undefined, language: string): string => {
    expect(response?.headers.get('content-type')).toMatch(/^text\/html/)
    expect(response?.html).toContain(`<html lang="${language}"`)
    expect(response?.headers.get('cache-control')).toContain('no-store')
    expect(response?.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    return /<h1[^>]*>([^<]*)</.exec(response?.html ?? '')?.[1] ?? ''
  }

  it.each([
    ['en', 'Sign out?', 'You are signed out'],
    ['zh-TW', '要登出嗎？', '您已登出'],
  ])('%s: asks first, then says that it is done; Back shows nothing of before', async (language, ask, done) => {
    const { b } = await signedIn(language)
    expect(dressed(await b.open(end()), language)).toBe(ask)
    const question = b.now as Response
    expect(await alive(b)).toBe(true)
    await b.open(await confirm(b))
    expect(dressed(b.now, language)).toBe(done)
    expect(await alive(b)).toBe(false)
    // Back: the page is fetched again, and leads on to the same answer; its old form is of no use.
    expect(dressed(await b.open(end()), language)).toBe(done)
    const replay = await b.request(`${w.issuer}/session/end/confirm`, {
      form: { ...hidden(question.html), logout: 'yes' },
    })
    expect(replay.status).toBe(400)
    expect(dressed(replay, language)).not.toBe('')
    expect(marks(replay.html).page).toBe('error')
  })

  it('ui_locales decides the language, until the end', async () => {
    const { b, token } = await signedIn('en')
    const request = { id_token_hint: token, ui_locales: 'zh-TW' }
    expect(dressed(await b.open(end(request)), 'zh-TW')).toBe('要登出嗎？')
    await b.open(await confirm(b))
    expect(dressed(b.now, 'zh-TW')).toBe('您已登出')
  })

  it('RP-Initiated Logout 1.0, 2: a POST asks the same question, also from another site, and ends nothing by itself', async () => {
    const { b, token } = await signedIn()
    const form = { id_token_hint: token, post_logout_redirect_uri: RP, state: 'posted' }
    const posted = await b.request(`${w.issuer}/session/end`, { form, headers: { origin: 'https://shop.example' } })
    expect([posted.status, posted.location]).toEqual([303, end(form)])
    expect(dressed(await b.open(posted), 'en')).toBe('Sign out?')
    expect(await alive(b)).toBe(true)
    expect(returned(await b.open(await confirm(b)))).toEqual({ state: 'posted' })
    expect(await alive(b)).toBe(false)
    const twice = await b.request(`${w.issuer}/session/end`, { form: 'state=a&state=b' })
    expect([twice.status, marks(twice.html).page]).toEqual([400, 'error'])
  })

  it('staying signed in is an answer, too', async () => {
    const { b, token } = await signedIn()
    await b.open(end({ id_token_hint: token, post_logout_redirect_uri: RP, state: 's' }))
    expect(returned(await b.open(await confirm(b, {})))).toEqual({ state: 's' })
    expect(await alive(b)).toBe(true)
  })

  it('nobody signed in: no question, no script, no click', async () => {
    const { b, token } = await signedIn()
    const nobody = w.browser()
    expect(dressed(await nobody.open(end()), 'en')).toBe('You are signed out')
    const back = await nobody.open(end({ id_token_hint: token, post_logout_redirect_uri: RP, state: 'a b&c' }))
    expect(returned(back)).toEqual({ state: 'a b&c' })
    expect([back.status, back.html.includes('<form')]).toEqual([303, false])
    expect(await alive(b)).toBe(true)
    const nowhere = await nobody.open(end({ post_logout_redirect_uri: foreign }))
    expect(dressed(nowhere, 'en')).toBe('You are signed out')
    for (const request of [{ client_id: 'rp', post_logout_redirect_uri: foreign }, { id_token_hint: 'nonsense' }]) {
      const refused = await nobody.open(end(request))
      expect([refused.status, refused.location, marks(refused.html).page]).toEqual([400, undefined, 'error'])
    }
    // Somebody whose session died by a change elsewhere is nobody here.
    await w.self.signOut(String(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub))
    expect(returned(await b.open(end({ id_token_hint: token, post_logout_redirect_uri: RP })))).toEqual({})
  })

  it.each<[string, Record<string, string>]>([
    ['a hint that is no token', { id_token_hint: 'nonsense' }],
    ['a hint that somebody changed', { id_token_hint: 'TAMPERED' }],
    ['a foreign address', { id_token_hint: 'OWN', post_logout_redirect_uri: foreign }],
    ['a foreign address by client_id', { client_id: 'rp', post_logout_redirect_uri: foreign }],
    ['another client than the hint says', { id_token_hint: 'OWN', client_id: 'somebody' }],
    ['an unknown client', { client_id: 'nobody', post_logout_redirect_uri: foreign }],
  ])('%s: a page of ours, 400, no redirect, still signed in', async (_, params) => {
    for (const language of ['en', 'zh-TW']) {
      const { b, token } = await signedIn(language)
      const hints: Record<string, string> = { OWN: token, TAMPERED: `${token.slice(0, -8)}AAAAAAAA` }
      const hint = hints[params['id_token_hint'] ?? '']
      const page = await b.open(end({ ...params, ...(hint !== undefined && { id_token_hint: hint }) }))
      expect(page.status).toBe(400)
      expect(page.location).toBeUndefined()
      expect(dressed(page, language)).not.toBe('')
      expect(marks(page.html).page).toBe('error')
      expect(page.html).not.toContain(token.slice(-40))
      expect(await alive(b)).toBe(true)
    }
  })

  it('a foreign address without a client is left out: one ends at our page', async () => {
    const { b } = await signedIn()
    await b.open(end({ post_logout_redirect_uri: foreign }))
    expect(b.now?.headers.get('content-security-policy')).not.toContain('evil')
    await b.open(await confirm(b))
    expect(b.now?.url.startsWith(w.issuer)).toBe(true)
    expect(dressed(b.now, 'en')).toBe('You are signed out')
  })

  it('WB-1: no sign-out without the token of the page, and none by a form of another site', async () => {
    const { b } = await signedIn()
    await b.open(end())
    for (const xsrf of ['', 'guess']) {
      const answer = await b.request(`${w.issuer}/session/end/confirm`, { form: { xsrf, logout: 'yes' } })
      expect(answer.status).toBe(400)
      expect(marks(answer.html).page).toBe('error')
    }
    expect(await alive(b)).toBe(true)
  })

  it('discovery says what is offered: by back channel, with sessions; nothing by front channel', async () => {
    const found = (await (await fetch(`${w.issuer}/.well-known/openid-configuration`)).json()) as Record<
      string,
      unknown
    >
    expect(found).toMatchObject({ backchannel_logout_supported: true, backchannel_logout_session_supported: true })
    expect(found).toHaveProperty('end_session_endpoint')
    expect(Object.keys(found).filter((name) => name.startsWith('frontchannel'))).toEqual([])
  })
})
