// The same reset with less: hands off the mouse, and without a script.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import type { BrowserContext, BrowserContextOptions } from 'playwright-core'
import { totpCode } from '../authenticator.ts'
import { register } from '../world.ts'
import { describeInChrome, desktop } from './chrome.ts'
import { type Site, site } from './site.ts'
import { enter as pressEnter, press, rested, where } from './walk.ts'
import { watch } from './watch.ts'

const fresh = 'quiet-otter-57-lamp'

describeInChrome('a forgotten password with less', (chrome) => {
  let here: Site
  const open: BrowserContext[] = []

  beforeAll(async () => {
    here = await site()
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()))
  })
  afterAll(async () => {
    await here?.close()
  })

  async function visit(username: string, more: BrowserContextOptions = {}) {
    const { world } = here
    await world.add(username)
    const { secret } = await register(world, world.browser(), username, { redirect_uri: `${here.party}/cb` })
    const context = await chrome().newContext({ ...desktop, ...more })
    open.push(context)
    const seen = watch(context)
    const page = await context.newPage()
    await page.goto(here.start())
    await rested(page)
    return { page, seen, secret }
  }

  /** Of the next step: no code is typed twice. */
  const code = (secret: string): string => {
    here.world.clock.tick(30_000)
    return totpCode(secret, here.world.clock.now())
  }

  it('with the keyboard alone; Enter in a field goes on, and the fields are reached without detours', async () => {
    const { page, secret, seen } = await visit('kay')
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        const at = document.activeElement as HTMLElement & { name?: string; value?: string }
        return [at.localName, at.localName === 'button' ? `${at.name} ${at.value}` : at.name].filter(Boolean).join(' ')
      })
    const tabTo = async (what: string): Promise<void> => {
      for (let stops = 0; stops < 12; stops++) {
        await page.keyboard.press('Tab')
        const { outline, inWindow } = await page.evaluate(() => {
          const style = getComputedStyle(document.activeElement as HTMLElement)
          const box = (document.activeElement as HTMLElement).getBoundingClientRect()
          const width = style.outlineStyle === 'none' ? 0 : Number.parseFloat(style.outlineWidth)
          return { outline: width, inWindow: box.top >= 0 && box.bottom <= innerHeight && box.width > 0 }
        })
        expect([await focused(), outline >= 2, inWindow]).toEqual([await focused(), true, true])
        if ((await focused()) === what) return
      }
      throw new Error(`${what} is not reached by Tab at ${await where(page)}`)
    }
    const enter = (): Promise<void> => pressEnter(page)

    await tabTo('button action forgot')
    await enter()
    expect([await where(page), await focused()]).toEqual(['forgot', 'input username'])
    await page.keyboard.type('kay')
    await enter()
    expect(await where(page)).toBe('choose-method')
    await tabTo('button method totp')
    await enter()
    expect([await where(page), await focused()]).toEqual(['prove:totp', 'input code'])
    await page.keyboard.type(code(secret))
    await enter()
    expect(await where(page)).toBe('choose-method')
    await tabTo('button method email')
    await enter()
    expect([await where(page), await focused()]).toEqual(['prove:email', 'input code'])
    await page.keyboard.type(await here.world.code('kay@example.org', 3))
    await enter()
    expect([await where(page), await focused()]).toEqual(['new-password', 'input new_password'])
    await page.keyboard.type(fresh)
    await page.locator('[data-meter][data-score="4"]').waitFor()
    // Nothing of the meter stops the way from field to field.
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('input confirm_password')
    await page.keyboard.type(fresh)
    await enter()
    expect(await where(page)).toBe('changed')
    await tabTo('button action continue')
    await enter()
    expect(await where(page)).toBe('sign-in')
    expect(seen.said).toEqual([])
    expect((await here.world.account('kay')).epoch).toBe(2)
  })

  it('WB-10: without a script: the same pages, the rules as text, no meter; and the waits alone can be ended', async () => {
    const { page, secret, seen } = await visit('joe', { javaScriptEnabled: false })
    const choose = (method: string): Promise<unknown> =>
      Promise.all([
        page.waitForNavigation({ waitUntil: 'load' }),
        page.locator(`main button[name=method][value=${method}]`).click(),
      ])
    /** From the page that asks for a name through both gates. */
    const gates = async (action: string, mails: number): Promise<void> => {
      await press(page, 'forgot')
      await page.locator('#username').fill('joe')
      await press(page, action)
      await choose('totp')
      await page.locator('#code').fill(code(secret))
      await press(page)
      await choose('email')
      await page.locator('#code').fill(await here.world.code('joe@example.org', mails))
      await press(page)
    }
    await gates('continue', 3)
    expect(await where(page)).toBe('new-password')
    expect(await page.locator('[data-meter]').isVisible()).toBe(false)
    expect(await page.locator('#rules li').count()).toBe(5)
    for (const [password, problem] of [
      ['short', 'password_too_short'],
      ['joe@example.org', 'password_personal'],
      ['password1', 'password_common'],
    ] as const) {
      for (const field of ['#new_password', '#confirm_password']) await page.locator(field).fill(password)
      await press(page)
      expect(await where(page)).toBe(`new-password!${problem}`)
      expect(await page.locator('#new_password').getAttribute('aria-describedby')).toContain('problem')
    }
    for (const field of ['#new_password', '#confirm_password']) await page.locator(field).fill(fresh)
    await press(page)
    expect(await where(page)).toBe('changed')
    await press(page)
    expect(await where(page)).toBe('sign-in')
    const { password } = await here.world.account('joe')

    here.world.clock.tick(61_000)
    await gates('unlock', 5)
    expect(await where(page)).toBe('changed')
    expect(await page.getByRole('heading', { level: 1 }).innerText()).not.toBe('Your new password is set')
    expect((await here.world.account('joe')).password).toEqual(password)
    await press(page)
    expect(await where(page)).toBe('sign-in')
    await page.getByLabel('User name').fill('joe')
    await page.locator('#password').fill(fresh)
    await press(page)
    await page.locator('#code').fill(code(secret))
    await press(page)
    expect(await page.locator('main').getAttribute('data-outcome')).toBe('code')
    expect(seen.said.filter((line) => !line.includes('status of 422'))).toEqual([])
    // No script was asked for, and nothing from anywhere else.
    expect([...seen.origins].toSorted()).toEqual([here.party, here.world.issuer].toSorted())
  })

  it('RS-8: Back, reload and an old page after the change lead to the sign-in, and change nothing twice', async () => {
    const { page, secret } = await visit('max')
    const choose = async (method: string): Promise<void> => {
      await page.locator(`main button[name=method][value=${method}]`).click()
      await page.waitForLoadState()
    }
    await press(page, 'forgot')
    await page.locator('#username').fill('max')
    await press(page)
    await choose('totp')
    await page.locator('#code').fill(code(secret))
    await press(page)
    await choose('email')
    await page.locator('#code').fill(await here.world.code('max@example.org', 3))
    await press(page)
    const form = await page.locator('input[name=step]').first().inputValue()
    for (const field of ['#new_password', '#confirm_password']) await page.locator(field).fill(fresh)
    // A double click: two posts of one form. Whichever navigation wins, the page is the one of the answer.
    await page.locator('main button[name=action][value=continue]').dblclick()
    await page.locator('main[data-page=changed]').waitFor()
    await page.waitForLoadState()
    const { epoch } = await here.world.account('max')
    expect(epoch).toBe(2)
    await page.goBack()
    await page.goForward()
    const answered = page.waitForNavigation({ waitUntil: 'load' })
    await page.evaluate(
      ([step = '', password = '']) => {
        const old = document.createElement('form')
        old.method = 'post'
        for (const [name, value] of [
          ['step', step],
          ['action', 'continue'],
          ['new_password', password],
          ['confirm_password', password],
        ] as const) {
          const field = document.createElement('input')
          field.name = name
          field.value = value
          old.append(field)
        }
        document.body.append(old)
        old.submit()
      },
      [form, 'another-word-for-it-88'],
    )
    await answered
    expect(await where(page)).toBe('changed')
    expect((await here.world.account('max')).epoch).toBe(2)
    await press(page)
    expect(await where(page)).toBe('sign-in')
  })
})
