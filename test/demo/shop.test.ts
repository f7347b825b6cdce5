// The shop of the demonstration, on both stores: step-up at checkout, actions at the provider and their status, sign-outs that it hears of.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Demo, startDemo } from '../../src/demo/demo.ts'
import { demoAccounts, demoFiles } from '../../src/demo/files.ts'
import { jsonLog } from '../../src/server/log.ts'
import { Browser, hidden, type Response } from '../browser.ts'
import { codeAt, steady, where } from '../program/person.ts'
import { eachStore } from '../stores.ts'

const acr = { password: 'urn:oidc-self-service:acr:pwd', multiFactor: 'urn:oidc-self-service:acr:mfa' }

interface Person {
  username: string
  password: string
  secret?: string
  /** The step of the last code that was used, from now. */
  step?: number
}

const newPassword = 'a quiet harbour in november'

eachStore('the shop', (database) => {
  let folder: string
  let demo: Demo
  /** Milliseconds that the clock of the shop's API is ahead. */
  let ahead = 0
  /** Signed in, in one test after another. */
  let signed: Browser

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shop-'))
    const { config } = await demoFiles(folder, 3000, 3001)
    const text = await readFile(config, 'utf8')
    await writeFile(config, text.replace(/^store: .*$/m, `store: ${JSON.stringify((await database()).uri)}`))
    demo = await startDemo({
      folder,
      port: 0,
      rpPort: 0,
      log: () => jsonLog('silent'),
      now: () => Date.now() + ahead,
    })
  })
  afterAll(async () => {
    await demo?.close()
    await rm(folder, { recursive: true })
  })

  const person = (username: (typeof demoAccounts)[number]['username']): Person => {
    const { password } = demoAccounts.find((one) => one.username === username) ?? demoAccounts[0]
    return { username, password }
  }

  /** Follows redirects between provider and shop. */
  async function go(browser: Browser, from: string | Response): Promise<void> {
    let response = typeof from === 'string' ? await browser.request(new URL(from, demo.url).href) : from
    for (let hops = 0; response.location !== undefined && hops < 20; hops++) {
      response = await browser.request(response.location)
    }
    browser.now = response
  }
  const submit = async (browser: Browser, fields: Record<string, string>): Promise<void> =>
    go(browser, await browser.submit(fields))
  /** A button of the shop. */
  const press = async (browser: Browser, path: string): Promise<void> => {
    await go(browser, '/')
    await go(browser, await browser.request(`${demo.url}${path}`, { form: {} }))
  }

  async function mailedCode(to: string): Promise<string> {
    for (let tries = 0; tries < 400; tries++) {
      const { html } = await new Browser(demo.issuer).request('/dev/outbox.json')
      const mails = (JSON.parse(html) as { to: unknown; text: string }[]).filter((one) =>
        JSON.stringify(one.to).includes(to),
      )
      const code = /\b\d{4}[\s-]?\d{4}\b/.exec(mails.at(-1)?.text ?? '')?.[0]
      if (code) return code.replace(/\D/, '')
      await new Promise((resolve) => setImmediate(resolve))
    }
    throw new Error(`no mail came for ${to}`)
  }

  /** Does what the provider's pages ask for, until the shop shows. Answers what was met. */
  async function walk(browser: Browser, who: Person): Promise<string[]> {
    const met: string[] = []
    while (browser.now?.url.startsWith(demo.issuer)) {
      const at = where(browser)
      met.push(at)
      if (met.length > 12) throw new Error(`${who.username} walks in circles: ${met.join(', ')}`)
      const { username, password } = who
      if (at === 'sign-in') await submit(browser, { username, password })
      else if (at === 'password') await submit(browser, { password, action: 'continue' })
      else if (at === 'new-password') {
        who.password = newPassword
        await submit(browser, { new_password: newPassword, confirm_password: newPassword, action: 'continue' })
      } else if (at === 'prove email') await submit(browser, { code: await mailedCode(username), action: 'continue' })
      else if (at.endsWith(' totp')) {
        if (at.startsWith('enrol')) who.secret = browser.secret
        const now = await steady()
        who.step = (who.step ?? -2) + 1
        await submit(browser, { code: codeAt(who.secret ?? '', now, who.step), action: 'continue' })
      } else if (at === 'enrol recovery-codes') await submit(browser, { acknowledged: 'yes', action: 'continue' })
      else await submit(browser, { action: 'continue' })
    }
    return met
  }

  const claimsOf = (browser: Browser, mark = 'claim'): Record<string, string> =>
    Object.fromEntries(
      [...(browser.now?.html ?? '').matchAll(new RegExp(`data-${mark}="([^"]+)">([^<]*)<`, 'g'))].map(
        ([, name = '', value = '']) => [name, value.replaceAll('&quot;', '"')],
      ),
    )
  const outcome = (browser: Browser): string | undefined => /data-outcome="([^"]*)"/.exec(browser.now?.html ?? '')?.[1]

  async function signedIn(who: Person): Promise<Browser> {
    const browser = new Browser(demo.issuer)
    await go(browser, '/sign-in')
    await walk(browser, who)
    expect(browser.page.page).toBe('signed-in')
    return browser
  }

  /** The provider told the shop, and the shop tells the user; the provider does not keep anybody waiting for that. */
  async function heard(browser: Browser): Promise<void> {
    for (let tries = 0; tries < 400; tries++) {
      await go(browser, '/')
      if (browser.page.page === 'signed-out') break
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    expect([browser.page.page, outcome(browser)]).toEqual(['signed-out', 'signed-out-by-provider'])
  }

  const alice = person('alice')

  it('EN-3: staff registers at the first sign-in', async () => {
    signed = await signedIn(alice)
    expect(claimsOf(signed)['acr']).toBe(acr.multiFactor)
  })

  describe('a guest', () => {
    const carol = person('carol')
    let first: Browser
    let second: Browser
    let since = ''

    it('looks around after a password', async () => {
      first = await signedIn(carol)
      second = await signedIn(carol)
      const { acr: shown, amr, auth_time } = claimsOf(first)
      expect([shown, amr]).toEqual([acr.password, '["pwd"]'])
      since = auth_time ?? ''
    })

    it('OI-4: cancels the step-up: nothing is ordered, and the sign-in stays what it was', async () => {
      await press(first, '/checkout')
      expect(first.now?.url.startsWith(demo.issuer)).toBe(true)
      await submit(first, { action: 'cancel' })
      expect([first.page.page, outcome(first), claimsOf(first)['acr']]).toEqual([
        'signed-in',
        'cancelled',
        acr.password,
      ])
    })

    it('OI-4: orders nothing for somebody else who comes back with a stronger sign-in', async () => {
      const browser = await signedIn(carol)
      const { location = '' } = await browser.request(`${demo.url}/checkout`, { form: {} })
      expect(new URL(location).searchParams.get('acr_values')).toBe(acr.multiFactor)
      const provider = new URL(demo.issuer).hostname
      browser.cookies = [
        ...browser.cookies.filter(({ host }) => host !== provider),
        ...signed.cookies.filter(({ host }) => host === provider),
      ]
      await go(browser, location)
      expect([outcome(browser), browser.now?.html.includes('Alice Chen')]).toEqual(['other-user', true])
    })

    it('OI-4: registers a second factor at checkout, and has ordered', async () => {
      await press(first, '/checkout')
      // Whoever only has the session adds no factor to the account: the password is asked for once more (EN-2).
      expect(await walk(first, carol)).toEqual([
        'password',
        'registration',
        'prove email',
        'enrol totp',
        'enrol recovery-codes',
        'registered',
      ])
      expect(outcome(first)).toBe('checkout')
      const { auth_time = '' } = claimsOf(first)
      expect(Number(auth_time)).toBeGreaterThanOrEqual(Number(since))
      since = auth_time
      const told = { acr: acr.multiFactor, amr: '["pwd","otp","mfa"]', auth_time: since }
      expect(claimsOf(first)).toMatchObject(told)
      expect(claimsOf(first, 'introspected')).toMatchObject({ ...told, client_id: 'demo' })
    })

    it('EN-13: a refresh says the same, and the next checkout asks nothing', async () => {
      await press(first, '/refresh')
      expect(first.now?.html).toContain('refreshed 1 time')
      const told = { acr: acr.multiFactor, amr: '["pwd","otp","mfa"]', auth_time: since }
      expect(claimsOf(first)).toMatchObject(told)
      await press(first, '/checkout')
      expect([outcome(first), first.page.page]).toEqual(['checkout', 'signed-in'])
      expect(claimsOf(first, 'introspected')).toMatchObject(told)
    })

    it('OI-4: a sign-in of before proves the second factor only', async () => {
      const { auth_time } = claimsOf(second)
      await press(second, '/checkout')
      expect(await walk(second, carol)).toEqual(['prove totp'])
      expect(outcome(second)).toBe('checkout')
      expect(claimsOf(second)).toMatchObject({ acr: acr.multiFactor, amr: '["pwd","otp","mfa"]', auth_time })
    })

    it('a fresh proof that is fresh enough asks nothing', async () => {
      await press(first, '/delivery-address')
      expect(outcome(first)).toBe('delivery-address')
    })

    it('OI-4: asks for a fresh proof once, and tells when that is not enough, instead of going round', async () => {
      ahead = 400_000
      const { location = '' } = await first.request(`${demo.url}/delivery-address`, { form: {} })
      const asked = new URL(location).searchParams
      expect([asked.get('max_age'), asked.get('acr_values')]).toEqual(['300', acr.multiFactor])
      // For the provider it is fresh: nothing is asked, and the same API refuses again.
      await go(first, location)
      expect([first.page.page, outcome(first)]).toEqual(['signed-in', 'refused'])
      ahead = 0
    })

    it('changes the password or does not, and the shop is told which', async () => {
      await go(first, '/change-password')
      expect(first.now?.url.startsWith(demo.issuer)).toBe(true)
      await submit(first, { action: 'cancel' })
      expect([outcome(first), claimsOf(first)['action_status']]).toEqual(['cancelled', undefined])

      await go(first, '/change-password')
      await walk(first, carol)
      expect(carol.password).toBe(newPassword)
      expect([outcome(first), claimsOf(first)['action_status']]).toEqual(['done', 'done'])
      expect(first.now?.html).toContain('Your password was changed.')
    })

    it('SE-5: a changed password ends the other sign-ins, and the shop hears of it', async () => {
      await heard(second)
      await go(first, '/')
      expect(first.page.page).toBe('signed-in')
    })

    it('a status in the address is not believed', async () => {
      await go(first, '/change-password')
      await submit(first, { action: 'cancel' })
      const { location = '' } = await first.request(`${demo.url}/sign-in`)
      let back = await first.request(location)
      while (back.location && !back.location.startsWith(demo.url)) back = await first.request(back.location)
      await go(first, `${back.location}&action_status=done`)
      expect([first.page.page, outcome(first)]).toEqual(['signed-in', undefined])
    })
  })

  it('sets up security info when the shop asks for it', async () => {
    const bob = person('bob')
    const browser = new Browser(demo.issuer)
    await go(browser, '/security-info')
    expect(await walk(browser, bob)).toContain('enrol totp')
    expect([outcome(browser), claimsOf(browser)['action_status']]).toEqual(['done', 'done'])
  })

  describe('a sign-out', () => {
    it('SE-5: at the provider is heard of, in the browser of that session alone', async () => {
      const one = await signedIn(alice)
      const { location: underWay = '' } = await one.request(`${demo.url}/sign-in`)
      await go(one, `${demo.issuer}/session/end`)
      await go(
        one,
        await one.request(`${demo.issuer}/session/end/confirm`, {
          form: { ...hidden(one.now?.html ?? ''), logout: 'yes' },
        }),
      )
      await heard(one)
      await go(one, '/')
      expect(outcome(one)).toBeUndefined()
      await go(signed, '/')
      expect(signed.page.page).toBe('signed-in')
      // What was begun before can still be finished: a changed password ends the old session on the way back.
      await go(one, underWay)
      expect(await walk(one, alice)).toEqual(['sign-in', 'prove totp'])
      expect(one.page.page).toBe('signed-in')
    })

    it('that nobody signed is refused', async () => {
      for (const form of [{}, { logout_token: 'a.b.c' }, { logout_token: 'x'.repeat(20_000) }]) {
        const answer = await new Browser(demo.issuer).request(`${demo.url}/backchannel-logout`, { form })
        expect([answer.status, JSON.parse(answer.html).error]).toEqual([400, 'invalid_request'])
      }
      await go(signed, '/')
      expect(signed.page.page).toBe('signed-in')
    })
  })

  describe('an answer that does not fit', () => {
    /** The address that the provider sends the browser back to, not opened yet. */
    async function answer(): Promise<URL> {
      let response = await signed.request(`${demo.url}/sign-in`)
      while (response.location && !response.location.startsWith(`${demo.url}/callback`)) {
        response = await signed.request(response.location)
      }
      return new URL(response.location ?? '')
    }

    it.each([
      ['state', 'of another request'],
      ['iss', 'https://evil.example'],
      ['code', 'of somebody else'],
    ])('%s is checked, and the request is over', async (parameter, value) => {
      const right = await answer()
      const wrong = new URL(right)
      wrong.searchParams.set(parameter, value)
      await go(signed, wrong.href)
      expect([signed.now?.status, signed.page.page]).toEqual([400, 'outcome'])
      await go(signed, right.href)
      expect(signed.now?.status).toBe(400)
    })

    it('a form from elsewhere does nothing', async () => {
      const browser = new Browser(demo.issuer)
      const { status } = await browser.request(`${demo.url}/checkout`, {
        form: {},
        headers: { 'sec-fetch-site': 'cross-site' },
      })
      expect(status).toBe(403)
    })
  })
})
