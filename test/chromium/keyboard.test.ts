// Hands off the mouse: the whole registration with Tab, Space and Enter, the focus always to be seen; what a screen reader is told.
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import type { BrowserContext, Page } from 'playwright-core'
import { totpCode } from '../authenticator.ts'
import { passwordOf } from '../world.ts'
import { describeInChrome, desktop } from './chrome.ts'
import { type Site, site } from './site.ts'
import { enter as pressEnter, press, rested, secretOn, walkTo, where } from './walk.ts'

interface Focused {
  /** `button continue`, `input username`, `a`, `summary`. */
  what: string
  /** Width of the outline in pixels, 0 when there is none. */
  outline: number
  inWindow: boolean
}

const focused = (page: Page): Promise<Focused> =>
  page.evaluate(() => {
    const at = document.activeElement as HTMLElement & { name?: string; value?: string }
    const style = getComputedStyle(at)
    const box = at.getBoundingClientRect()
    return {
      what: [at.localName, at.localName === 'button' ? at.value : at.name].filter(Boolean).join(' '),
      outline: style.outlineStyle === 'none' ? 0 : Number.parseFloat(style.outlineWidth),
      inWindow: box.top >= 0 && box.bottom <= innerHeight && box.width > 0,
    }
  })

describeInChrome('keyboard and screen reader', (chrome) => {
  let here: Site
  let context: BrowserContext
  let page: Page

  beforeAll(async () => {
    here = await site()
    for (const name of ['kim', 'lou', 'max']) await here.world.add(name)
  })
  afterAll(async () => {
    await context?.close()
    await here?.close()
  })
  const open = async (more?: Record<string, string>): Promise<Page> => {
    await context?.close()
    context = await chrome().newContext(desktop)
    page = await context.newPage()
    await page.goto(here.start(more))
    await rested(page)
    return page
  }

  /** Tab until there; every stop on the way can be seen. */
  async function tabTo(what: string): Promise<void> {
    for (let stops = 0; stops < 15; stops++) {
      await page.keyboard.press('Tab')
      const stop = await focused(page)
      expect(stop).toMatchObject({ inWindow: true })
      expect(stop.outline).toBeGreaterThanOrEqual(2)
      if (stop.what === what) return
    }
    throw new Error(`${what} is not reached by Tab at ${await where(page)}`)
  }
  const enter = (): Promise<void> => pressEnter(page)

  it('registers with the keyboard alone; Enter in a field continues and never cancels', async () => {
    await open()
    expect(await focused(page)).toMatchObject({ what: 'input username', inWindow: true })
    await page.keyboard.type('kim')
    await tabTo('input password')
    await page.keyboard.type(passwordOf('kim'))
    await enter()

    expect(await where(page)).toBe('registration')
    await tabTo('button continue')
    await enter()

    expect(await where(page)).toBe('prove:email')
    expect((await focused(page)).what).toBe('input code')
    await page.keyboard.type(await here.world.code('kim@example.org'))
    await enter()

    expect(await where(page)).toBe('enrol:totp')
    await tabTo('input code')
    await page.keyboard.type(totpCode(await secretOn(page), here.world.clock.now()))
    await enter()

    expect(await where(page)).toBe('enrol:recovery-codes')
    await tabTo('input acknowledged')
    await page.keyboard.press('Space')
    await enter()

    expect(await where(page)).toBe('registered')
    await tabTo('button continue')
    await enter()
    expect(await page.locator('main').getAttribute('data-outcome')).toBe('code')
  })

  it('a problem is told first: in the title, as an alert, at the field, which has the focus', async () => {
    await open()
    await page.getByLabel('User name').fill('lou')
    await page.getByLabel('Password').fill('wrong')
    await press(page)
    expect(await where(page)).toBe('sign-in!wrong_password')
    expect(await page.title()).toMatch(/^That user name or password is not right/)
    expect(await page.getByRole('alert').innerText()).toContain('That user name or password is not right')
    expect(await page.getByLabel('User name').inputValue()).toBe('lou')
    expect(await page.getByLabel('Password').inputValue()).toBe('')
    expect((await focused(page)).what).toBe('input password')
    const field = page.getByLabel('Password')
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    expect(await field.getAttribute('aria-describedby')).toBe(await page.getByRole('alert').getAttribute('id'))

    await page.getByLabel('Password').fill(passwordOf('lou'))
    await press(page)
    await press(page)
    for (const code of ['00000000', '12']) {
      await page.locator('#code').fill(code)
      await press(page)
      expect(await where(page)).toBe('prove:email!wrong_code')
      expect(await page.title()).toMatch(/^That code /)
      expect((await focused(page)).what).toBe('input code')
    }
    await page.locator('#code').fill(await here.world.code('lou@example.org'))
    await press(page)
    const secret = await secretOn(page)
    const wrong = String((Number(totpCode(secret, here.world.clock.now())) + 7) % 1_000_000).padStart(6, '0')
    for (let tries = 1; tries <= 3; tries++) {
      await page.locator('#code').fill(wrong)
      await press(page)
      expect(await where(page)).toBe(tries < 3 ? 'enrol:totp!wrong_code' : 'enrol:totp!wrong_code_clock')
      expect((await focused(page)).what).toBe('input code')
      expect(await secretOn(page)).toBe(secret)
    }
    expect(await page.getByRole('alert').innerText()).toMatch(/clock|time/)
  })

  it('an empty field is named by the browser, in place, and nothing is posted', async () => {
    await open()
    await page.getByLabel('User name').fill('max')
    const posts: string[] = []
    page.on('request', (request) => request.method() === 'POST' && posts.push(request.url()))
    await page.getByRole('button', { name: 'Sign in' }).click()
    expect(await page.getByLabel('Password').evaluate((field: HTMLInputElement) => field.validity.valueMissing)).toBe(
      true,
    )
    expect((await focused(page)).what).toBe('input password')
    expect(posts).toEqual([])
  })

  it('one h1, headings in order, one main, the language named, a title of its own on every page', async () => {
    await open({ ui_locales: 'zh-TW' })
    const person = { username: 'max', secret: '' }
    const titles = new Set<string>()
    for (const step of [
      'sign-in',
      'registration',
      'prove:email',
      'enrol:totp',
      'enrol:recovery-codes',
      'registered',
    ] as const) {
      await walkTo(page, step, here, person)
      const facts = await page.evaluate(() => ({
        lang: document.documentElement.lang,
        levels: [...document.querySelectorAll('h1,h2,h3,h4')].map(({ localName }) => Number(localName[1])),
        mains: document.querySelectorAll('main').length,
        nameless: [...document.querySelectorAll('button,a,input:not([type=hidden])')].filter(
          (one) => !(one.textContent?.trim() || (one as HTMLInputElement).labels?.length),
        ).length,
        english: document.querySelector('nav a[hreflang=en]')?.getAttribute('lang'),
      }))
      expect(facts).toMatchObject({ lang: 'zh-TW', mains: 1, nameless: 0, english: 'en' })
      expect(facts.levels.filter((level) => level === 1)).toHaveLength(1)
      expect(facts.levels[0]).toBe(1)
      for (const [index, level] of facts.levels.entries()) {
        expect(level).toBeLessThanOrEqual((facts.levels[index - 1] ?? 0) + 1)
      }
      titles.add(await page.title())
      expect(await page.title()).toContain(await page.getByRole('heading', { level: 1 }).innerText())
    }
    expect(titles.size).toBe(6)
  })

  it('reads well at 200 % text on a phone, and with animation and colours turned off', async () => {
    await open()
    await walkTo(page, 'registration', here, { username: 'lou', secret: '' })
    await page.setViewportSize({ width: 320, height: 640 })
    await page.emulateMedia({ forcedColors: 'active', reducedMotion: 'reduce' })
    await page.evaluate(() => {
      document.documentElement.style.fontSize = '200%'
    })
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
    expect(await page.getByRole('button', { name: 'Continue' }).isVisible()).toBe(true)
  })
})
