// What people do to pages: no script, reload, Back, a second tab, double clicks, an old page. Never a dead end, never a skipped step.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { totpCode } from '../authenticator.ts'
import { passwordOf } from '../world.ts'
import { describeInChrome, desktop } from './chrome.ts'
import { type Site, site } from './site.ts'
import { fillIn, type Person, press, steps, walkTo, where } from './walk.ts'

describeInChrome('detours', (chrome) => {
  let here: Site
  const open: BrowserContext[] = []
  let count = 0

  beforeAll(async () => {
    here = await site()
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()))
  })
  afterAll(async () => {
    await here?.close()
  })

  async function stranger(more: BrowserContextOptions = {}): Promise<{ page: Page; person: Person }> {
    const username = `person${++count}`
    await here.world.add(username)
    const context = await chrome().newContext({ ...desktop, ...more })
    open.push(context)
    const page = await context.newPage()
    await page.goto(here.start())
    return { page, person: { username, secret: '' } }
  }

  /** Everything was asked: nothing of what policy wants is missing, and each thing is there once. */
  async function expectRegistered({ username }: Person): Promise<void> {
    const { credentials } = await here.world.account(username)
    expect(credentials.map(({ method }) => method).toSorted()).toEqual(['email', 'recovery-codes', 'totp'])
  }

  /** The step's page is gone, and what came instead is there as a whole. */
  async function leftBehind(page: Page, step: string): Promise<void> {
    await page.waitForFunction((was) => {
      const { page, method } = document.querySelector('main')?.dataset ?? {}
      return (
        page !== undefined && document.readyState === 'complete' && [page, method].filter(Boolean).join(':') !== was
      )
    }, step)
  }

  it('WB-10: the whole walk without a script', async () => {
    const { page, person } = await stranger({ javaScriptEnabled: false })
    await page.getByRole('link', { name: '繁體中文' }).click()
    await walkTo(page, 'enrol:totp', here, person)
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('新增驗證應用程式')
    await walkTo(page, 'party', here, person)
    await expectRegistered(person)
  })

  it('reload at every step shows the same step, with the same key and the same codes', async () => {
    const { page, person } = await stranger()
    for (const step of steps) {
      await walkTo(page, step, here, person)
      const content = await page.locator('[data-secret],[data-recovery-code]').allInnerTexts()
      await page.reload()
      expect(await where(page)).toBe(step)
      expect(await page.locator('[data-secret],[data-recovery-code]').allInnerTexts()).toEqual(content)
    }
    await walkTo(page, 'party', here, person)
    await expectRegistered(person)
    // A reload sends no mail: one with the code, one with what was registered.
    const mails = here.world.outbox.mails().filter(({ to }) => to === `${person.username}@example.org`)
    expect(mails).toHaveLength(2)
  })

  it('reloading the answer to a wrong form posts it again, and harms nothing', async () => {
    const { page, person } = await stranger()
    await page.getByLabel('User name').fill(person.username)
    await page.getByLabel('Password').fill('wrong')
    await press(page)
    await page.reload()
    expect(await where(page)).toBe('sign-in!wrong_password')
    await page.getByLabel('Password').fill(passwordOf(person.username))
    await press(page)
    await walkTo(page, 'party', here, person)
  })

  it('Back and forward at every step show where things stand; only before the first step does Back lead out', async () => {
    const { page, person } = await stranger()
    for (const step of steps.slice(1)) {
      await walkTo(page, step, here, person)
      const address = page.url()
      await page.goBack({ waitUntil: 'load' })
      expect(page.url()).toBe(address)
      expect(await where(page)).toBe(step)
      if (step === 'prove:email') {
        await page.goForward({ waitUntil: 'load' })
        expect(await where(page)).toBe(step)
      }
    }
    await walkTo(page, 'party', here, person)
    await expectRegistered(person)
  })

  it('Back after the end: says that it is over, or goes on, but shows no form that leads nowhere', async () => {
    const { page, person } = await stranger()
    await walkTo(page, 'registered', here, person)
    const address = page.url()
    await walkTo(page, 'party', here, person)
    await page.goto(address)
    expect(await where(page)).toMatch(/^error!/)
    expect(await page.getByRole('heading', { level: 1 }).innerText()).not.toBe('')
    expect(await page.locator('main form').count()).toBe(0)
    await page.goBack()
    expect(await where(page)).toBe('party')
  })

  it('a second tab on the same sign-in: both show where things stand, each thing is asked once', async () => {
    const { page, person } = await stranger()
    const tab = await page.context().newPage()
    for (const step of ['registration', 'prove:email', 'enrol:totp', 'enrol:recovery-codes', 'registered'] as const) {
      await walkTo(page, step, here, person)
      await tab.goto(page.url())
      expect(await where(tab)).toBe(step)
      // The second tab does the step; the first one, standing still, sends the same form after it.
      await fillIn(tab, step, here, person)
      await fillIn(page, step, here, person)
      await press(tab)
      if (step === 'registered') break
      await press(page)
      expect(await where(page)).toBe(await where(tab))
    }
    expect(await where(tab)).toBe('party')
    await expectRegistered(person)
    await page.reload()
    expect(await where(page)).toMatch(/^error!/)
  })

  it('EN-1 EN-9: a second sign-in that waited while the first one registered asks for the new factor', async () => {
    const { page, person } = await stranger()
    const tab = await page.context().newPage()
    await tab.goto(here.start())
    await walkTo(tab, 'registration', here, person)
    await walkTo(page, 'party', here, person)
    await press(tab)
    expect(await page.locator('main').getAttribute('data-outcome')).toBe('code')
    // The form answered what is asked no more: no complaint about a code that was never asked for.
    expect(await where(tab)).toBe('prove:totp')
    await tab.locator('#code').fill(totpCode(person.secret, here.world.clock.now() + 30_000))
    await press(tab)
    expect(await where(tab)).toBe('party')
    await expectRegistered(person)
  })

  it('double clicks on every button: one step each, everything once', async () => {
    const { page, person } = await stranger()
    for (const step of steps) {
      expect(await where(page)).toBe(step)
      await fillIn(page, step, here, person)
      await page.locator('main button[value=continue]').dblclick()
      await leftBehind(page, step)
    }
    expect(await where(page)).toBe('party')
    expect(await page.locator('main').getAttribute('data-outcome')).toBe('code')
    await expectRegistered(person)
    const mails = here.world.outbox.mails().filter(({ to }) => to === `${person.username}@example.org`)
    expect(mails).toHaveLength(2)
  })

  it('"Not you?" and "Cancel": another person can sign in, or the relying party is told', async () => {
    const { page, person } = await stranger()
    await walkTo(page, 'prove:email', here, person)
    await press(page, 'restart')
    expect(await where(page)).toBe('sign-in')
    expect(await page.getByLabel('User name').inputValue()).toBe('')
    // One mail a minute: the next code may be asked for then.
    here.world.clock.tick(61_000)
    await walkTo(page, 'enrol:totp', here, person)
    await press(page, 'cancel')
    expect(await page.locator('main').getAttribute('data-outcome')).toBe('access_denied')
  })

  it('a page left open too long begins the same request anew', async () => {
    const { page, person } = await stranger()
    await walkTo(page, 'enrol:totp', here, person)
    here.world.clock.tick(16 * 60_000)
    await page.locator('#code').fill('123456')
    await press(page)
    expect(await where(page)).toMatch(/^sign-in/)
    await fillIn(page, 'sign-in', here, person)
    await press(page)
    await press(page)
    // The address was registered by its code before the pause: it only proves now.
    expect(await where(page)).toBe('prove:email')
    await page.locator('#code').fill(await here.world.code(`${person.username}@example.org`, 2))
    await press(page)
    await walkTo(page, 'party', here, person)
    await expectRegistered(person)
  })
})
