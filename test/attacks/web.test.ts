// The attacker owns another site, another browser, or the raw socket: forged and replayed forms, swapped cookies, odd bodies.
// Every answer has the right status, a page that can be read and every header; nothing is written, and nothing is a 500.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from '@jest/globals'
import type { Configuration } from 'oidc-provider'
import { hidden, marks, type Response } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { passwordOf, register, RP, type World } from '../world.ts'
import { anyone, arena, back, errorOf, leaked, mailedCode, silently, someone, stepOf, walk } from './attacker.ts'

/** Everything that a failed attack must not have changed. */
const untouched = async (w: World, username: string) => {
  const { credentials, browsers, grace, version } = await w.account(username)
  return { credentials, browsers, grace, version }
}

const readable = (response: Response): void => {
  expect(marks(response.html).page).toBeDefined()
  expect(response.headers.get('content-type')).toContain('text/html')
  expect(response.html).not.toMatch(/node_modules|at [\w.]+ \(|Error:|\.ts:\d/)
}

const secured = (response: Pick<Response, 'headers' | 'url' | 'status'>): void => {
  const { headers } = response
  const about = `${response.url} ${response.status}`
  const policy = headers.get('content-security-policy') ?? ''
  for (const directive of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"]) {
    expect([about, policy]).toEqual([about, expect.stringContaining(directive)])
  }
  expect([about, policy]).toEqual([about, expect.not.stringMatching(/unsafe|\*/)])
  expect([about, headers.get('x-frame-options')]).toEqual([about, 'DENY'])
  expect([about, headers.get('x-content-type-options')]).toEqual([about, 'nosniff'])
  expect([about, headers.get('referrer-policy')]).toEqual([about, 'same-origin'])
  expect([about, headers.get('cross-origin-opener-policy')]).toEqual([about, 'same-origin'])
  expect([about, headers.get('x-powered-by'), headers.get('server')]).toEqual([about, null, null])
}

eachStore('WB-1: the web', (database) => {
  const at = arena(database)

  it('WB-1: a form without a step token, with a foreign, an old or a changed one, is refused and changes nothing', async () => {
    const w = await at.enter()
    const [username, b, other] = [someone(), anyone(w), anyone(w)]
    await w.add(username)
    await other.open(w.authorize())
    await b.open(w.authorize())
    const first = b.now as Response
    const good = stepOf(b)
    const right = { username, password: passwordOf(username), action: 'continue' }
    for (const step of [
      undefined,
      '',
      stepOf(other),
      good.slice(0, -1),
      `${good}A`,
      good.replace(/^0/, '1'),
      `-${good}`,
      good.toUpperCase(),
    ]) {
      const response = await b.request(first.url, { form: { ...right, ...(step !== undefined && { step }) } })
      expect([step, response.status]).toEqual([step, 403])
      readable(response)
      secured(response)
    }
    expect((await untouched(w, username)).version).toBe(1)
    await b.submit(right)
    expect(b.page.page).toBe('registration')
    // The old token of this very flow: answered by the current page, taken for nothing.
    const replayed = await b.request(first.url, { form: { ...right, step: good, action: 'continue' } })
    expect([replayed.status, replayed.location]).toEqual([303, first.url])
    expect((await b.request(first.url)).html).toContain('data-page="registration"')
  })

  it('WB-1: a form from another site is refused, whatever else is right', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await b.open(w.authorize())
    const form = { step: stepOf(b), username, password: passwordOf(username), action: 'continue' }
    const { url } = b.now as Response
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: '' },
      { origin: `${w.issuer}.evil.example` },
      { origin: w.issuer.replace('http:', 'https:') },
      { origin: w.issuer.replace('localhost', '127.0.0.1') },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'anything' },
      { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' },
    ] as Record<string, string>[]) {
      const response = await b.request(url, { form, headers })
      expect([headers, response.status]).toEqual([headers, 403])
      readable(response)
      secured(response)
    }
    expect((await untouched(w, username)).version).toBe(1)
    const response = await b.request(url, { form, headers: { 'sec-fetch-site': 'same-origin' } })
    expect(response.status).toBe(303)
  })

  it('WB-1, RS-5: a GET changes nothing, whatever it carries; a method override is no POST', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await b.open(w.authorize())
    const { url } = b.now as Response
    const form = new URLSearchParams({ step: stepOf(b), username, password: passwordOf(username), action: 'continue' })
    for (const headers of [{}, { 'x-http-method-override': 'POST' }, { 'x-method-override': 'POST' }] as Record<
      string,
      string
    >[]) {
      const response = await b.request(`${url}?${form}&_method=POST`, { headers })
      expect(response.status).toBe(200)
      expect(marks(response.html).page).toBe('sign-in')
    }
    await walk(w, b, username, 2)
    const mails = w.outbox.mails().length
    const trust = (b.now as Response).url
    for (const method of ['GET', 'HEAD', 'GET', 'HEAD', 'GET'])
      await b.request(`${trust}?action=resend&code=00000000`, { method })
    expect((await untouched(w, username)).version).toBe(1)
    expect(w.outbox.mails().length - mails).toBeLessThanOrEqual(1)
    await b.submit({ code: await mailedCode(w, b, username), action: 'continue' })
    expect(b.page.page).toBe('enrol')
  })

  it('WB-2, EN-12: cookies and address must belong together: no page, no form, no answer otherwise', async () => {
    const w = await at.enter()
    const [mine, theirs] = [someone(), someone()]
    const [thief, victim] = [anyone(w), anyone(w)]
    await w.add(mine)
    await w.add(theirs)
    await thief.open(w.authorize())
    await thief.submit({ username: mine, password: passwordOf(mine), action: 'continue' })
    await victim.open(w.authorize())
    const [attack, target] = [thief.now as Response, victim.now as Response]
    const path = (response: Response): string => new URL(response.url).pathname
    // The victim follows the attacker's address.
    for (const response of [
      await victim.request(attack.url),
      await victim.request(attack.url, { form: { ...hidden(attack.html), action: 'continue' } }),
      await anyone(w).request(attack.url),
      await anyone(w).request(attack.url, { form: { ...hidden(attack.html), action: 'continue' } }),
    ]) {
      expect([response.status, marks(response.html).problem]).toEqual([400, 'other_browser'])
      readable(response)
      secured(response)
    }
    // Cookies of one interaction, planted for the address of another.
    const planted = anyone(w)
    planted.cookies = victim.cookies.map((cookie) =>
      cookie.path === path(target) ? { ...cookie, path: path(attack) } : cookie,
    )
    for (const response of [
      await planted.request(attack.url),
      await planted.request(attack.url, { form: { ...hidden(attack.html), action: 'continue' } }),
    ]) {
      expect([response.status, marks(response.html).problem]).toEqual([400, 'other_browser'])
    }
    // The thief's cookies with the victim's form.
    const swapped = anyone(w)
    swapped.cookies = thief.cookies.map((cookie) =>
      cookie.path === path(attack) ? { ...cookie, path: path(target) } : cookie,
    )
    const form = { ...hidden(target.html), username: theirs, password: passwordOf(theirs), action: 'continue' }
    expect((await swapped.request(target.url, { form })).status).toBe(400)
    expect((await untouched(w, theirs)).version).toBe(1)
    // Both flows are as they were.
    expect(marks((await thief.request(attack.url)).html).page).toBe('registration')
    expect(marks((await victim.request(target.url)).html).page).toBe('sign-in')
  })

  it('WB-2, EN-12: another account in one browser gets a session of its own, and its own subject', async () => {
    const w = await at.enter()
    const [first, second, b] = [someone(), someone(), anyone(w)]
    await w.add(first)
    await w.add(second)
    const one = await w.exchange((await register(w, b, first)).response)
    await b.open(w.authorize({ prompt: 'login' }))
    const cookies = structuredClone(b.cookies)
    let response = await register(w, b, second, { prompt: 'login' }).then(({ response: last }) => last)
    if (!leaked(response)) response = await b.open(w.authorize())
    const two = await w.exchange(response)
    expect(two.claims['sub']).toBe((await w.account(second)).id)
    expect(two.claims['sub']).not.toBe(one.claims['sub'])
    const old = anyone(w)
    old.cookies = cookies
    const silent = await silently(w, old)
    expect(errorOf(silent)).toBe('login_required')
  })

  it('EN-12: interaction cookies that are forged, unsigned or garbage lead nowhere, without a 500', async () => {
    const w = await at.enter()
    const b = anyone(w)
    await b.open(w.authorize())
    const { url } = b.now as Response
    const cookies = structuredClone(b.cookies)
    for (const spoil of [
      (name: string, value: string) => (name.endsWith('.sig') ? '' : value),
      (name: string, value: string) => (name.endsWith('.sig') ? value : `${value}x`),
      () => 'é'.repeat(50),
      () => '%00%ED%A0%80',
      () => '__proto__',
      () => '../../etc',
      () => 'x'.repeat(3000),
    ]) {
      b.cookies = structuredClone(cookies)
      for (const cookie of b.cookies) cookie.value = encodeURI(spoil(cookie.name, cookie.value))
      for (const response of [
        await b.request(url),
        await b.request(url, { form: { step: stepOf(b), action: 'continue' } }),
      ]) {
        expect(response.status).toBe(400)
        readable(response)
        secured(response)
      }
      const anew = await b.request(w.authorize())
      expect([200, 303]).toContain(anew.status)
    }
  })

  it('WB-9: bodies that are no plain form get the right status, a page, and change nothing', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await b.open(w.authorize())
    const { url } = b.now as Response
    const step = encodeURIComponent(stepOf(b))
    const name = encodeURIComponent(username)
    const password = encodeURIComponent(passwordOf(username))
    const right = `step=${step}&username=${name}&password=${password}&action=continue`
    const type = (value: string) => ({ 'content-type': value })
    const cases: [string, number, string, Record<string, string>?][] = [
      ['too large', 413, `${right}&code=${'x'.repeat(70_000)}`],
      ['far too large', 413, `${right}&code=${'x'.repeat(3_000_000)}`],
      ['text', 415, right, type('text/plain')],
      ['JSON', 415, JSON.stringify({ step, username, password: { $ne: '' } }), type('application/json')],
      [
        'multipart',
        415,
        `--x\r\ncontent-disposition: form-data; name="step"\r\n\r\n${step}\r\n--x--`,
        type('multipart/form-data; boundary=x'),
      ],
      ['no type', 415, right, type('')],
      ['a type that only looks right', 415, right, type('application/x-www-form-urlencodedx')],
      ['a repeated field', 400, `${right}&username=${name}`],
      ['a repeated token', 400, `${right}&step=${step}`],
      ['an operator', 400, `step=${step}&username[$ne]=&password[$gt]=&action=continue`],
      ['an encoded operator', 400, `step=${step}&username%5B%24regex%5D=.*&password=${password}`],
      ['an array', 400, `step=${step}&username[]=${name}&password=${password}`],
      ['__proto__', 400, `${right}&__proto__[admin]=1`],
      ['a bare __proto__', 400, `${right}&__proto__=1`],
      ['constructor', 400, `${right}&constructor=1`],
      ['constructor.prototype', 400, `${right}&constructor.prototype.x=1`],
      ['NUL in a name', 400, `step=${step}&username=${name}%00&password=${password}`],
      ['NUL in a password', 400, `step=${step}&username=${name}&password=${password}%00x`],
      ['a lone surrogate', 400, `step=${step}&username=%ED%A0%80&password=${password}`],
      ['half a character', 400, `step=${step}&username=%C3&password=${password}`],
      ['bad percent-encoding', 400, `step=${step}&username=%zz&password=${password}`],
      ['a percent sign alone', 400, `step=${step}&username=100%&password=${password}`],
      [
        'thirty fields',
        400,
        `${right}&${Array.from({ length: 30 }, (_, index) => `f${String.fromCharCode(97 + (index % 26))}${'_'.repeat(Math.floor(index / 26))}=1`).join('&')}`,
      ],
      ['a field name of capitals', 400, `${right}&USERNAME=x`],
      ['a long field name', 400, `${right}&${'a'.repeat(5000)}=x`],
      ['nothing', 403, ''],
      ['only separators', 403, '&&&&'],
    ]
    for (const [what, status, form, headers = {}] of cases) {
      const response = await b.request(url, { form, headers })
      expect([what, response.status]).toEqual([what, status])
      readable(response)
      secured(response)
      expect([what, leaked(response)]).toEqual([what, false])
    }
    expect(await untouched(w, username)).toMatchObject({ version: 1, credentials: [], browsers: [] })
    await b.submit({ username, password: passwordOf(username), action: 'continue' })
    expect(b.page.page).toBe('registration')
  })

  it('WB-9, WB-7: names of any kind and length come back as text, on a page of the sign-in', async () => {
    const w = await at.enter()
    for (const username of [
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      "' onfocus=alert(1) autofocus='",
      '{{constructor.constructor("alert(1)")()}}',
      '${7*7}',
      '<!--',
      ']]>',
      '</textarea><svg/onload=alert(1)>',
      '\u202eevil\u202c',
      'a\r\nSet-Cookie: x=1',
      'a'.repeat(10_000),
      '𝕏'.repeat(300),
      'ﷺ'.repeat(100),
      '\u0000a'.slice(1),
      '__proto__',
      'constructor',
      '$where',
      "' OR 1=1 --",
      '"; DROP TABLE accounts; --',
      '*',
      '.*',
    ]) {
      const b = anyone(w)
      await b.open(w.authorize({ login_hint: username.slice(0, 300), ui_locales: `${username.slice(0, 200)} en` }))
      expect([username, b.now?.status, b.page.page]).toEqual([username, 200, 'sign-in'])
      const response = await b.submit({ username, password: 'whatever', action: 'continue' })
      expect([username, response.status, b.page.page, b.page.problem]).toEqual([
        username,
        422,
        'sign-in',
        'wrong_password',
      ])
      expect(response.html).not.toMatch(/<script(?![^>]*src=)|<img src=x|<svg\/onload|onfocus=alert/i)
      expect(response.headers.get('set-cookie') ?? '').not.toContain('x=1')
      secured(response)
    }
  })

  it('WB-7: what a request or a client says is text on every page that shows it', async () => {
    const evil = '"><script>alert(document.domain)</script>'
    const clients = [
      {
        client_id: 'rp',
        client_secret: 'rp-secret',
        client_name: evil,
        redirect_uris: [`${RP}/cb`],
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
      },
    ] as unknown as NonNullable<Configuration['clients']>
    const w = await at.enter({ clients, options: { firstParty: () => false, service: { name: evil } } })
    const username = someone()
    await w.add(username, { name: evil })
    const b = anyone(w)
    const seen: Response[] = []
    const keep = (): void => void seen.push(b.now as Response)
    await b.open(w.authorize({ login_hint: evil, ui_locales: evil, state: evil, nonce: evil, scope: 'openid email' }))
    keep()
    await register(w, b, username)
    keep()
    expect(b.page.page).toBe('consent')
    for (const address of [
      w.authorize({ client_id: evil }),
      w.authorize({ redirect_uri: `javascript:alert(1)//${evil}` }),
      w.authorize({ response_type: evil, redirect_uri: `${RP}/other` }),
      `${w.issuer}/auth?${encodeURIComponent(evil)}=1`,
      `${w.issuer}/device?user_code=${encodeURIComponent(evil)}`,
      `${w.issuer}/interaction/${encodeURIComponent(evil)}`,
      `${w.issuer}/${encodeURIComponent(evil)}`,
      `${w.issuer}/session/end?post_logout_redirect_uri=${encodeURIComponent(evil)}&id_token_hint=${encodeURIComponent(evil)}`,
    ]) {
      seen.push(await b.request(address))
    }
    for (const { html, url, status } of seen) {
      expect([url, status < 500]).toEqual([url, true])
      expect([url, html.includes('<script>alert')]).toEqual([url, false])
    }
    for (const mail of w.outbox.mails()) expect(mail.html).not.toContain('<script>')
  })

  it('WB-3, WB-4, WB-5: every address, method and status carries every header', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await b.open(w.authorize())
    const interaction = (b.now as Response).url
    const style = /href="([^"]+\.css[^"]*)"/.exec(b.now?.html ?? '')?.[1] ?? ''
    for (const [address, expected, options] of [
      [interaction, 200],
      [interaction, 200, { method: 'HEAD' }],
      [interaction, 405, { method: 'PUT', form: 'a=b' }],
      [interaction, 405, { method: 'DELETE' }],
      [interaction, 405, { method: 'PATCH', form: 'a=b' }],
      [interaction, 403, { form: 'a=b' }],
      [`${interaction}x`, 400],
      [`${interaction}/`, undefined],
      [`${interaction}/login`, 404],
      [`${w.issuer}/interaction/none`, 400],
      [`${w.issuer}/interaction/%E0%A4%A`, undefined],
      [`${w.issuer}/interaction/${'x'.repeat(5000)}`, 400],
      [`${w.issuer}/nowhere`, 404],
      [`${w.issuer}/`, 404],
      [`${w.issuer}/%ED%A0%80`, 404],
      [`${w.issuer}/self-service/none.css`, 404],
      [`${w.issuer}/self-service/..%2f..%2fpackage.json`, 404],
      [style, 200],
      [w.authorize(), 303],
      [w.authorize({ prompt: 'none' }), 303],
      [w.authorize({ client_id: 'nobody' }), 400],
      [`${w.issuer}/auth/none`, 410],
      [`${w.issuer}/device`, 200],
      [`${w.issuer}/session/end`, 303],
      [`${w.issuer}/session/end/success`, 200],
      [`${w.issuer}/me`, 401],
      [`${w.issuer}/jwks`, 200],
      [`${w.issuer}/.well-known/openid-configuration`, 200],
      [`${w.issuer}/token`, undefined, { form: 'grant_type=none' }],
      [`${w.issuer}/token/introspection`, undefined, { form: 'token=none' }],
    ] as [string, number | undefined, { method?: string; form?: string }?][]) {
      const response = await b.clone().request(address, options ?? {})
      expect([address, options, response.status]).toEqual([address, options, expected ?? response.status])
      expect([address, response.status < 500]).toEqual([address, true])
      secured(response)
      if (options?.method === 'HEAD') expect(response.html).toBe('')
      const type = response.headers.get('content-type') ?? ''
      if (type.includes('text/html') && response.status !== 303) {
        expect([address, response.headers.get('cache-control')]).toEqual([address, expect.stringContaining('no-store')])
        // The provider's own self-submitting page is no page of ours; it goes on by itself.
        const itself = response.html.includes('document.forms[0].submit()')
        if (options?.method !== 'HEAD' && !itself)
          expect([address, marks(response.html).page]).toEqual([address, expect.any(String)])
      }
    }
    // No rate limited and no unavailable page is an exception.
    const guesses = Array.from({ length: 11 }, (_, index) => index)
    for (const guess of guesses) await b.submit({ username, password: `wrong ${guess}`, action: 'continue' })
    expect(b.now?.status).toBe(429)
    secured(b.now as Response)
    expect(b.now?.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  it('WB-4: a form may lead to the relying party of its own request, and nowhere else', async () => {
    const w = await at.enter()
    const b = anyone(w)
    await b.open(w.authorize())
    const policy = b.now?.headers.get('content-security-policy') ?? ''
    const forms = /form-action ([^;]*)/.exec(policy)?.[1]
    expect(forms?.split(' ')).toEqual(["'self'", RP])
  })

  it('WB-6: cookies are HttpOnly, SameSite, small and for this host alone', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    const lines: string[] = []
    const request = b.request.bind(b)
    b.request = async (...input) => {
      const response = await request(...input)
      lines.push(...response.headers.getSetCookie())
      return response
    }
    await register(w, b, username)
    await b.open(`${(await b.open(w.authorize({ prompt: 'login' }))).url}?ui_locales=zh-TW`)
    expect(lines.length).toBeGreaterThan(5)
    for (const line of lines) {
      expect(line).toMatch(/; *httponly/i)
      expect(line).toMatch(/; *samesite=(lax|strict)/i)
      expect(line).not.toMatch(/; *domain=/i)
      expect(line.length).toBeLessThan(4096)
    }
    expect(lines.some((line) => line.startsWith('known-'))).toBe(true)
    expect(lines.some((line) => line.startsWith('language='))).toBe(true)
  })

  it('WB-5, WB-6: with an https issuer every cookie is Secure, ours have the __Host- prefix, and HSTS lasts a year', async () => {
    const issuer = 'https://login.example.test'
    const w = await at.enter({ issuer })
    const callback = w.provider.callback()
    const server = createServer((request, response) => void callback(request, response))
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const here = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const headers = {
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'login.example.test',
      'x-forwarded-for': '10.1.1.1',
    }
    const lines: string[] = []
    for (const path of [
      w.authorize().slice(issuer.length),
      '/interaction/none?ui_locales=zh-TW',
      '/nowhere?ui_locales=en',
    ]) {
      const response = await fetch(`${here}${path}`, {
        headers: { ...headers, accept: 'text/html' },
        redirect: 'manual',
      })
      lines.push(...response.headers.getSetCookie())
      const lasts = /max-age=(\d+); includeSubDomains/.exec(
        response.headers.get('strict-transport-security') ?? '',
      )?.[1]
      expect(Number(lasts)).toBeGreaterThanOrEqual(31_536_000)
    }
    server.close()
    expect(lines.length).toBeGreaterThan(3)
    for (const line of lines) expect(line).toMatch(/; *secure/i)
    expect(lines.find((line) => line.includes('language'))).toMatch(/^__Host-language=zh-TW; path=\/;/)
  })

  it('WB-8: what is not registered is never redirected to', async () => {
    const w = await at.enter()
    for (const redirect_uri of [
      'https://evil.example/cb',
      '//evil.example',
      '/\\evil.example',
      `${RP}.evil.example/cb`,
      `${RP}/cb/../evil`,
      `${RP}/cb?x=1`,
      `${RP}/cb#x`,
      `${RP}%2fcb`,
      `http://user@rp.example/cb`,
      `${RP}/cb\r\nlocation: https://evil.example`,
    ]) {
      const response = await anyone(w).request(w.authorize({ redirect_uri }))
      expect([redirect_uri, response.status, response.location]).toEqual([redirect_uri, 400, undefined])
      readable(response)
      secured(response)
    }
  })

  it('OI-7: a code without its verifier, with another one, or for another address buys nothing', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    const { response } = await register(w, b, username)
    const code = new URL(response.location ?? '').searchParams.get('code') ?? ''
    for (const form of [
      { redirect_uri: `${RP}/cb` },
      { redirect_uri: `${RP}/cb`, code_verifier: 'x'.repeat(50) },
      { redirect_uri: `${RP}/other`, code_verifier: 'x'.repeat(50) },
    ] as Record<string, string>[]) {
      const answer = await back(w, '/token', { grant_type: 'authorization_code', code, ...form })
      expect([answer.status, answer['error']]).toEqual([400, 'invalid_grant'])
    }
    for (const more of [
      { code_challenge: '' },
      { code_challenge_method: 'plain' },
      { response_type: 'token' },
    ] as Record<string, string>[]) {
      const refused = await b.clone().open(w.authorize(more))
      expect([more, leaked(refused)]).toEqual([more, false])
    }
  })
})
