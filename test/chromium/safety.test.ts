// What a real browser enforces: the policy of the pages through to another origin, frames, cookies, storage, and who is asked for what.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { passwordOf } from '../world.ts'
import { describeInChrome, desktop } from './chrome.ts'
import { type Site, site } from './site.ts'
import { fillIn, press, steps, walkTo, where } from './walk.ts'
import { type Watch, watch } from './watch.ts'

describeInChrome('what the browser enforces', (chrome) => {
  let here: Site
  const open: BrowserContext[] = []

  beforeAll(async () => {
    here = await site()
    for (const name of ['ann', 'ben', 'cat', 'dan', 'eve']) await here.world.add(name)
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()))
  })
  afterAll(async () => {
    await here?.close()
  })

  async function visit(
    more: BrowserContextOptions = {},
  ): Promise<{ context: BrowserContext; page: Page; seen: Watch }> {
    const context = await chrome().newContext({ ...desktop, ...more })
    open.push(context)
    const seen = watch(context)
    return { context, page: await context.newPage(), seen }
  }

  it('WB-4 WB-6 WB-10 RS-12: the walk ends at another origin, says nothing, asks nobody else, stores nothing', async () => {
    const { context, page, seen } = await visit()
    await page.goto(here.start())
    const person = { username: 'ann', secret: '' }
    for (const step of steps) {
      await walkTo(page, step, here, person)
      const stored = await page.evaluate(async () => ({
        local: localStorage.length,
        session: sessionStorage.length,
        databases: (await indexedDB.databases()).length,
        caches: (await caches.keys()).length,
        workers: (await navigator.serviceWorker.getRegistrations()).length,
        scripts: document.scripts.length,
        // What scripts could read: nothing, all of them are http-only.
        cookies: document.cookie,
      }))
      expect(stored).toEqual({ local: 0, session: 0, databases: 0, caches: 0, workers: 0, scripts: 0, cookies: '' })
    }
    await walkTo(page, 'party', here, person)
    expect(new URL(page.url()).origin).toBe(here.party)
    expect(await page.locator('main').getAttribute('data-outcome')).toBe('code')
    expect(seen.said).toEqual([])
    expect([...seen.origins].toSorted()).toEqual([here.party, here.world.issuer].toSorted())
    // Nothing of the way here is told to the relying party.
    const arrival = seen.requests.find(({ url }) => url.startsWith(`${here.party}/cb`))
    expect(arrival?.referer).toBeUndefined()
    expect(await page.evaluate(() => document.referrer)).toBe('')

    const cookies = (await context.cookies(here.world.issuer)).filter(({ domain }) => domain === 'localhost')
    expect(cookies.length).toBeGreaterThanOrEqual(2)
    for (const cookie of await context.cookies()) {
      expect(cookie).toMatchObject({ httpOnly: true, domain: 'localhost' })
      expect(['Lax', 'Strict']).toContain(cookie.sameSite)
      expect(cookie.name.length + cookie.value.length).toBeLessThan(4096)
    }
  })

  it('WB-4: the watch would see a violation: a script, a style and a foreign form target are refused', async () => {
    const { page, seen } = await visit()
    await page.goto(here.start())
    await page.evaluate(() => {
      const script = document.createElement('script')
      script.textContent = 'document.title = "run"'
      const style = document.createElement('style')
      style.textContent = 'main { display: none }'
      document.body.append(script, style)
    })
    expect(await page.title()).not.toBe('run')
    expect(await page.locator('main').isVisible()).toBe(true)
    await page.evaluate(() => {
      const form = document.createElement('form')
      form.action = 'http://127.0.0.1:9/elsewhere'
      form.method = 'post'
      document.body.append(form)
      form.submit()
    })
    await expectSaid(seen, 'form-action')
    expect(seen.said.join()).toMatch(/script-src/)
    expect(seen.said.join()).toMatch(/style-src/)
    expect(new URL(page.url()).origin).toBe(here.world.issuer)
  })

  it('WB-3: no page can be framed, not even an error', async () => {
    const { page, seen } = await visit()
    for (const framed of [here.start(), `${here.world.issuer}/interaction/none`, `${here.world.issuer}/nowhere`]) {
      await page.goto(`${here.party}/frame?of=${encodeURIComponent(framed)}`)
      await expectSaid(seen, 'frame-ancestors')
      expect(await page.locator('iframe').count()).toBe(1)
      expect(await page.frameLocator('iframe').locator('main').count()).toBe(0)
      seen.said.length = 0
    }
  })

  it('WB-1 WB-2 CH-7: a form of another origin moves nothing', async () => {
    const { page } = await visit()
    await page.goto(here.start())
    const person = { username: 'ben', secret: '' }
    await walkTo(page, 'registration', here, person)
    const address = page.url()
    const step = await page.locator('input[name=step]').first().inputValue()
    const attacker = await page.context().newPage()
    await attacker.goto(here.party)
    const [answer] = await Promise.all([
      attacker.waitForNavigation({ waitUntil: 'load' }),
      attacker.evaluate(
        ([address = '', step = '']) => {
          const form = document.createElement('form')
          form.method = 'post'
          form.action = address
          for (const [name, value] of [
            ['step', step],
            ['action', 'continue'],
          ] as const) {
            const field = document.createElement('input')
            field.name = name
            field.value = value
            form.append(field)
          }
          document.body.append(form)
          form.submit()
        },
        [address, step],
      ),
    ])
    expect(answer?.status()).toBe(403)
    expect(await where(attacker)).toBe('error!foreign_origin')
    await page.reload()
    expect(await where(page)).toBe('registration')
  })

  it('PW-10: password managers are told which field is which; passwords and codes can be pasted', async () => {
    const { context, page } = await visit()
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: here.world.issuer })
    const paste = async (selector: string, text: string): Promise<void> => {
      await page.evaluate((value) => navigator.clipboard.writeText(value), text)
      await page.locator(selector).focus()
      await page.keyboard.press('ControlOrMeta+V')
      expect(await page.locator(selector).inputValue()).toBe(text)
    }
    const autofill = (): Promise<Record<string, string>> =>
      page
        .locator('main input:not([type=hidden])')
        .evaluateAll((all: HTMLInputElement[]) => Object.fromEntries(all.map((one) => [one.name, one.autocomplete])))
    await page.goto(here.start())
    expect(await autofill()).toEqual({ username: 'username', password: 'current-password' })
    await page.getByLabel('User name').fill('cat')
    await paste('#password', passwordOf('cat'))
    await press(page)
    await press(page)
    expect(await autofill()).toEqual({ code: 'one-time-code' })
    const code = await here.world.code('cat@example.org')
    // As mails and apps show codes: in groups.
    await paste('#code', ` ${code.slice(0, 4)} ${code.slice(4)} `)
    await press(page)
    expect(await where(page)).toBe('enrol:totp')
    expect(await autofill()).toEqual({ code: 'one-time-code' })
  })

  it('WB-7: what the request brings is shown as text: no dialog, no element, no broken page', async () => {
    const { page, seen } = await visit()
    const payload = `"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}`
    await page.goto(here.start({ login_hint: payload, ui_locales: `${payload} en` }))
    expect(await where(page)).toBe('sign-in')
    expect(await page.getByLabel('User name').inputValue()).toBe(payload)
    expect(await page.locator('main img, main script').count()).toBe(0)
    await page.goto(here.start({ scope: payload, state: payload }))
    expect(seen.said.filter((line) => /dialog|uncaught/.test(line))).toEqual([])
    await page.goto(`${here.world.issuer}/auth?client_id=${encodeURIComponent(payload)}&error=${payload}`)
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(seen.said.filter((line) => /dialog|uncaught|Content Security/.test(line))).toEqual([])
  })

  it('the language: switched at every step, kept by the browser, and the step stays', async () => {
    const { page } = await visit()
    await page.goto(here.start())
    const person = { username: 'dan', secret: '' }
    let lang = 'en'
    for (const step of steps) {
      await walkTo(page, step, here, person)
      expect(await page.getAttribute('html', 'lang')).toBe(lang)
      lang = lang === 'en' ? 'zh-TW' : 'en'
      const kept = await page.locator('[data-secret],[data-recovery-code]').allInnerTexts()
      await page.locator(`footer a[hreflang="${lang}"]`).click()
      await page.waitForURL(new RegExp(`ui_locales=${lang}$`))
      expect(await page.getAttribute('html', 'lang')).toBe(lang)
      expect(await where(page)).toBe(step)
      expect(await page.locator('[data-secret],[data-recovery-code]').allInnerTexts()).toEqual(kept)
    }
    await walkTo(page, 'party', here, person)
    await page.goto(here.start({ prompt: 'login' }))
    expect(await page.getAttribute('html', 'lang')).toBe(lang)
  })

  it('EN-12: another account in an open session comes straight through, with or without a script', async () => {
    const { registration, mfa } = here.world.policy
    registration.required = mfa.required = false
    for (const javaScriptEnabled of [true, false]) {
      const { page, seen } = await visit({ javaScriptEnabled })
      for (const username of ['eve', 'cat']) {
        await page.goto(here.start({ prompt: 'login' }))
        await fillIn(page, 'sign-in', here, { username, secret: '' })
        await press(page)
        expect(await where(page)).toBe('party')
        expect(await page.locator('main').getAttribute('data-outcome')).toBe('code')
      }
      expect(seen.said).toEqual([])
    }
    registration.required = mfa.required = true
  })
})

/** Console messages come a moment after what they are about. */
async function expectSaid(seen: Watch, what: string): Promise<void> {
  for (let tries = 0; tries < 200 && !seen.said.some((line) => line.includes(what)); tries++) {
    await new Promise((done) => setTimeout(done, 10))
  }
  expect(seen.said.join('\n')).toContain(what)
}
