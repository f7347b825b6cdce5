// A forgotten password, as people meet it: from the sign-in page through two gates to the same relying party; and what ends elsewhere.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import type { BrowserContext, Page } from 'playwright-core'
import { type Demo, startDemo } from '../../src/demo/demo.ts'
import { demoAccounts } from '../../src/demo/files.ts'
import { jsonLog } from '../../src/server/log.ts'
import { totpCode } from '../authenticator.ts'
import { describeInChrome, desktop } from './chrome.ts'
import { look } from './look.ts'
import { press, secretOn, where } from './walk.ts'
import { type Watch, watch } from './watch.ts'

const STEP = 30_000
const [alice] = demoAccounts
const fresh = 'quiet-otter-57-lamp'

interface Sent {
  to: string
  subject: string
  text: string
}

/** Waits when a step of the app is about to end, so that the codes of the steps around it stay those. */
async function steady(): Promise<number> {
  const left = STEP - (Date.now() % STEP)
  if (left < 8000) await new Promise((resolve) => setTimeout(resolve, left + 20))
  return Date.now()
}

const choose = (page: Page, method: string): Promise<unknown> =>
  Promise.all([
    page.waitForNavigation({ waitUntil: 'load' }),
    page.locator(`main button[name=method][value=${method}]`).click(),
  ])

const heading = (page: Page): Promise<string> => page.getByRole('heading', { level: 1 }).innerText()

/** A form that is answered with its own page is a failure to the console. */
const unexpected = ({ said }: Watch): string[] => said.filter((line) => !line.includes('status of 422'))

describeInChrome('a forgotten password in a browser', (chrome) => {
  let folder: string
  let demo: Demo
  /** The machine that is signed in, and the one on which the password is reset. */
  let other: Page
  let page: Page
  const contexts: BrowserContext[] = []
  let seen: Watch
  let secret = ''
  let codes: string[] = []
  const wrong: string[] = []

  async function machine(locale = 'en-GB'): Promise<{ page: Page; seen: Watch }> {
    const context = await chrome().newContext({ ...desktop, locale })
    contexts.push(context)
    return { seen: watch(context), page: await context.newPage() }
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reset-chromium-'))
    demo = await startDemo({ folder, port: 0, rpPort: 0, log: () => jsonLog('silent') })
  })
  afterAll(async () => {
    for (const context of contexts) await context.close()
    await demo?.close()
    await rm(folder, { recursive: true })
  })

  const mails = async (): Promise<Sent[]> => (await (await fetch(`${demo.issuer}/dev/outbox.json`)).json()) as Sent[]

  /** Mails leave after the page that asked for them. */
  async function mailed(subject: RegExp, count = 1): Promise<Sent> {
    for (let looks = 0; looks < 500; looks++) {
      const found = (await mails()).filter((one) => subject.test(one.subject))
      const last = found.at(-1)
      if (last && found.length >= count) return last
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`no mail about ${subject}`)
  }
  const codeIn = ({ text }: Sent): string => /\b\d{4}\s?\d{4}\b/.exec(text)?.[0] ?? 'no code'

  /** In both languages, both themes, both widths; then in English again, at the same step. */
  async function lookAtBoth(name: string): Promise<void> {
    const here = (await where(page)).replace(/!.*/, '')
    wrong.push(...(await look(page, `reset-${name}.en`)))
    await page.getByRole('link', { name: '繁體中文' }).click()
    await page.waitForURL(/ui_locales=zh-TW/)
    expect(await where(page)).toBe(here)
    wrong.push(...(await look(page, `reset-${name}.zh-TW`)))
    await page.getByRole('link', { name: 'English' }).click()
    await page.waitForURL(/ui_locales=en/)
    expect(await where(page)).toBe(here)
  }

  async function toSignIn(on: Page): Promise<void> {
    await on.goto(`${demo.url}/sign-in`)
  }

  /** From the sign-in page to the first gate. */
  async function forgot(on: Page, username: string): Promise<void> {
    await toSignIn(on)
    await press(on, 'forgot')
    expect(await where(on)).toBe('forgot')
    await on.getByLabel('User name').fill(username)
    await press(on)
  }

  it('a machine is registered, signed in, and holds a refresh token that works', async () => {
    other = (await machine()).page
    await toSignIn(other)
    await other.getByLabel('User name').fill(alice.username)
    await other.getByLabel('Password').fill(alice.password)
    await press(other)
    await press(other)
    await other.locator('#code').fill(codeIn(await mailed(/Your code/)))
    await press(other)
    expect(await where(other)).toBe('enrol:totp')
    secret = await secretOn(other)
    // The step before, so that two more are left for the reset and for the sign-in after it.
    await other.locator('#code').fill(totpCode(secret, (await steady()) - STEP))
    await press(other)
    codes = await other.locator('[data-recovery-code]').allInnerTexts()
    await other.locator('#acknowledged').check()
    await press(other)
    await press(other)
    expect(await where(other)).toBe('signed-in')
    await other.getByRole('button', { name: 'Refresh' }).click()
    await other.getByText('refreshed 1 time').waitFor()
  })

  it('RS-6 PW-7 RS-12: forgot, two gates, a password that is judged while it is typed, and back to the same application', async () => {
    const mine = await machine()
    page = mine.page
    seen = mine.seen
    await toSignIn(page)
    const asked = new URL(page.url()).pathname
    expect(await page.getByRole('button', { name: 'Forgot password?' }).isVisible()).toBe(true)
    await press(page, 'forgot')
    expect(await where(page)).toBe('forgot')
    await lookAtBoth('01-forgot')
    await page.getByLabel('User name').fill(alice.username)
    await press(page)
    expect(await where(page)).toBe('choose-method')
    await lookAtBoth('02-first-gate')
    await choose(page, 'totp')
    expect(await where(page)).toBe('prove:totp')
    await page.locator('#code').fill('000000')
    await press(page)
    expect(await where(page)).toBe('prove:totp!wrong_code')
    wrong.push(...(await look(page, 'reset-03-wrong-code.en')))
    await lookAtBoth('03-app')
    await page.locator('#code').fill(totpCode(secret, await steady()))
    await press(page)
    expect(await where(page)).toBe('choose-method')
    expect(await page.locator('main button[name=method][value=totp]').count()).toBe(0)
    await lookAtBoth('04-second-gate')
    await choose(page, 'email')
    expect(await where(page)).toBe('prove:email')
    await lookAtBoth('05-mailed-code')
    await page.locator('#code').fill(codeIn(await mailed(/Your code/, 2)))
    await press(page)

    expect(await where(page)).toBe('new-password')
    await lookAtBoth('06-new-password')
    const meter = page.locator('[data-meter]')
    const fill = async (password: string): Promise<void> => {
      await page.getByLabel('New password', { exact: true }).fill(password)
      await page.locator('#confirm_password').fill(password)
    }
    await fill('password')
    await page.locator('[data-meter][data-score="0"]').waitFor()
    expect(await meter.getByRole('status').innerText()).toBe('Very easy to guess')
    await press(page)
    expect(await where(page)).toBe('new-password!password_common')
    expect(await page.getByRole('alert').innerText()).not.toBe('')
    await page.getByLabel('New password', { exact: true }).fill('password')
    await page.locator('[data-meter][data-score="0"]').waitFor()
    wrong.push(...(await look(page, 'reset-07-common.en')))
    await fill(`${fresh}-not`)
    await page.locator('#confirm_password').fill('another')
    await press(page)
    expect(await where(page)).toBe('new-password!password_mismatch')
    expect(await page.locator('#new_password').inputValue()).toBe('')
    await fill(alice.password)
    await press(page)
    expect(await where(page)).toBe('new-password!password_same')
    await fill(fresh)
    await page.locator('[data-meter][data-score="4"]').waitFor()
    expect(await meter.getByRole('status').innerText()).toBe('Very hard to guess')
    wrong.push(...(await look(page, 'reset-08-good.en')))
    await press(page)

    expect(await where(page)).toBe('changed')
    await lookAtBoth('09-changed')
    await press(page)
    // RS-8: nobody is signed in; the same request goes on.
    expect(await where(page)).toBe('sign-in')
    expect(new URL(page.url()).pathname).toBe(asked)
    await page.getByLabel('User name').fill(alice.username)
    await page.getByLabel('Password').fill(fresh)
    await press(page)
    expect(await where(page)).toBe('prove:totp')
    await page.locator('#code').fill(totpCode(secret, (await steady()) + STEP))
    await press(page)
    expect(await where(page)).toBe('signed-in')
    expect(new URL(page.url()).origin).toBe(demo.url)
    expect(unexpected(seen)).toEqual([])
    expect([...seen.origins].toSorted()).toEqual([demo.issuer, demo.url].toSorted())
  })

  /** The relying party heard of it from the provider, which keeps nobody waiting for that. */
  async function signedOut(on: Page): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      await on.goto(demo.url)
      if ((await where(on)) === 'signed-out') break
    }
    expect(await on.getByRole('status').innerText()).toBe('You were signed out by the provider.')
  }

  it('SE-1 SE-5: the other machine is signed out of the relying party too, and the session asks for the password', async () => {
    await signedOut(other)
    await toSignIn(other)
    expect(await where(other)).toBe('sign-in')
    await other.getByLabel('User name').fill(alice.username)
    await other.getByLabel('Password').fill(alice.password)
    await press(other)
    expect(await where(other)).toBe('sign-in!wrong_password')
  })

  it('EM-1: names that lead nowhere look the same, page by page, and never match', async () => {
    const shown = async (): Promise<string> =>
      (await page.locator('main').innerHTML())
        .replace(/(name="step" value=")[^"]*/, '$1')
        .replace(/ value="(?:alice|bob|nobody)"/g, '')
    const walk = async (username: string): Promise<string[]> => {
      const mine = await machine()
      page = mine.page
      const pages: string[] = []
      await forgot(page, username)
      pages.push(await shown())
      await choose(page, 'totp')
      pages.push(await shown())
      await page.locator('#code').fill('123456')
      await press(page)
      pages.push(await where(page), await shown())
      await press(page, 'other_method')
      pages.push(await shown())
      await choose(page, 'recovery-codes')
      pages.push(await shown())
      await page.locator('#code').fill('ABCD-EFGH-JKMN-PQRS-TVWX-YZ23')
      await press(page)
      pages.push(await where(page), await shown())
      expect(unexpected(mine.seen)).toEqual([])
      return pages
    }
    const known = await walk(alice.username)
    expect(known[2]).toBe('prove:totp!wrong_code')
    // Of bob everybody knows the name, and he registered nothing.
    expect(await walk('bob')).toEqual(known)
    expect(await walk('nobody')).toEqual(known)
    expect((await mailed(/could not be reset/)).to).toBe('bob@example.org')
  })

  it('CH-1: a signed-in person changes the password, stays signed in here, and is out elsewhere', async () => {
    // One more machine, by a recovery code: the codes of the app are spent for now.
    const elsewhere = (await machine()).page
    await toSignIn(elsewhere)
    await elsewhere.getByLabel('User name').fill(alice.username)
    await elsewhere.getByLabel('Password').fill(fresh)
    await press(elsewhere)
    await press(elsewhere, 'other_method')
    await choose(elsewhere, 'recovery-codes')
    await elsewhere.locator('#code').fill(codes[0] ?? '')
    await press(elsewhere)
    expect(await where(elsewhere)).toBe('signed-in')

    const mine = contexts[1]
    if (!mine) throw new Error('nobody is signed in')
    page = await mine.newPage()
    await page.goto(`${demo.issuer}/.well-known/change-password`)
    expect(await where(page)).toBe('password')
    await lookAtBoth('10-password')
    await page.locator('#password').fill(fresh)
    await press(page)
    // The second factor was proven a moment ago.
    expect(await where(page)).toBe('new-password')
    await lookAtBoth('11-change')
    for (const field of ['#new_password', '#confirm_password']) await page.locator(field).fill('brave lilac 31 train')
    await page.locator('[data-meter][data-score="4"]').waitFor()
    await press(page)
    expect(await heading(page)).toBe('Done')
    wrong.push(...(await look(page, 'reset-12-done.en')))

    await toSignIn(page)
    expect(await where(page)).toBe('signed-in')
    await signedOut(elsewhere)
    expect(unexpected(seen)).toEqual([])
  })

  it('RS-5: the notice names what happened; its link shows one button, and the button closes everything', async () => {
    const notice = await mailed(/was reset/)
    expect(notice.to).toBe(alice.email)
    const links = notice.text.match(/http\S+not-me\S+/g) ?? []
    expect(links).toHaveLength(1)
    const outbox = (await machine()).page
    await outbox.goto(`${demo.issuer}/dev/outbox`)
    wrong.push(...(await look(outbox, 'reset-13-outbox')))
    page = (await machine()).page
    await page.goto(links[0] ?? '')
    await page.reload()
    expect(await heading(page)).toBe('Was this not you?')
    expect(await page.locator('main button').count()).toBe(1)
    wrong.push(...(await look(page, 'reset-14-not-me.en')))
    const taiwan = (await machine('zh-TW')).page
    await taiwan.goto(links[0] ?? '')
    expect(await taiwan.getAttribute('html', 'lang')).toBe('zh-TW')
    wrong.push(...(await look(taiwan, 'reset-14-not-me.zh-TW')))
    const mine = await contexts[1]?.newPage()
    if (!mine) throw new Error('nobody is signed in')
    // Looked at three times by now, and nothing happened.
    await toSignIn(mine)
    expect(await where(mine)).toBe('signed-in')

    await press(page)
    expect(await heading(page)).toBe('You are signed out everywhere')
    wrong.push(...(await look(page, 'reset-15-not-me-done.en')))
    await toSignIn(mine)
    expect(await where(mine)).toBe('sign-in')
    await page.goto(links[0] ?? '')
    expect(await where(page)).toBe('error!link_over')
    wrong.push(...(await look(page, 'reset-16-link-over.en')))
  })

  it('every page that was met: no violation of WCAG 2.2 AA, none wider than its window', () => {
    expect(wrong).toEqual([])
  })
})
