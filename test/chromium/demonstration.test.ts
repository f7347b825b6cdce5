// The demonstration, as a stranger meets it: relying party, forced registration, claims, second sign-in, the switch, sign-out.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import type { BrowserContext, Page } from 'playwright-core'
import { encode } from 'uqr'
import { type Demo, startDemo } from '../../src/demo/demo.ts'
import { demoAccounts } from '../../src/demo/files.ts'
import { jsonLog } from '../../src/server/log.ts'
import { openStore } from '../../src/stores/open.ts'
import { totpCode } from '../authenticator.ts'
import { describeInChrome, desktop } from './chrome.ts'
import { axe, look } from './look.ts'
import { press, secretOn, where } from './walk.ts'
import { type Watch, watch } from './watch.ts'

/** The dark modules of the picture, read back from its strokes; drawn on a canvas, so that transforms and all count. */
const modules = (page: Page): Promise<{ size: number; dark: string }> =>
  page.locator('.qr svg').evaluate(async (svg: SVGSVGElement) => {
    const size = svg.viewBox.baseVal.width
    const picture = new Image()
    picture.src = `data:image/svg+xml,${encodeURIComponent(svg.outerHTML)}`
    await picture.decode()
    const canvas = document.createElement('canvas')
    canvas.width = size * 4
    canvas.height = size * 4
    const pen = canvas.getContext('2d')
    if (!pen) throw new Error('no canvas')
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height)
    const { data } = pen.getImageData(0, 0, canvas.width, canvas.height)
    let dark = ''
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) dark += (data[((y * 4 + 2) * canvas.width + x * 4 + 2) * 4] ?? 0) < 128 ? '1' : '0'
    }
    return { size, dark }
  })

const claims = async (page: Page, mark = 'claim'): Promise<Record<string, string>> =>
  Object.fromEntries(
    await page
      .locator(`[data-${mark}]`)
      .evaluateAll((all: HTMLElement[], name) => all.map((one) => [one.dataset[name], one.textContent]), mark),
  )

describeInChrome('the demonstration in a browser', (chrome) => {
  let folder: string
  let demo: Demo
  let context: BrowserContext
  let page: Page
  let seen: Watch
  let secret = ''
  let used = ''
  const wrong: string[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'demo-chromium-'))
    demo = await startDemo({ folder, port: 0, rpPort: 0, log: () => jsonLog('silent') })
    context = await chrome().newContext(desktop)
    seen = watch(context)
    page = await context.newPage()
  })
  afterAll(async () => {
    await context?.close()
    await demo?.close()
    await rm(folder, { recursive: true })
  })

  /** In both languages, both themes, both widths; then in English again, at the same step. */
  async function lookAtBoth(name: string): Promise<void> {
    const here = await where(page)
    wrong.push(...(await look(page, `${name}.en`)))
    await page.getByRole('link', { name: '繁體中文' }).click()
    await page.waitForURL(/ui_locales=zh-TW/)
    expect(await page.getAttribute('html', 'lang')).toBe('zh-TW')
    // A problem belongs to the answer to one form; the switch keeps the step, not the complaint.
    expect(await where(page)).toBe(here)
    wrong.push(...(await look(page, `${name}.zh-TW`)))
    await page.getByRole('link', { name: 'English' }).click()
    await page.waitForURL(/ui_locales=en/)
    expect(await page.getAttribute('html', 'lang')).toBe('en')
    expect(await where(page)).toBe(here)
  }

  /** The code that was mailed last, read where a stranger reads it. */
  async function mailed(to: string, picture?: string): Promise<string> {
    const outbox = await context.newPage()
    const mail = outbox.locator('article', { hasText: to }).locator('pre').first()
    for (let tries = 0; tries < 100; tries++) {
      await outbox.goto(`${demo.issuer}/dev/outbox`)
      if ((await mail.count()) > 0) break
    }
    if (picture !== undefined) wrong.push(...(await look(outbox, picture)))
    const code = /\b\d{4}\s?\d{4}\b/.exec(await mail.innerText())?.[0] ?? 'no code'
    await outbox.close()
    return code
  }

  async function signIn(on: Page, { username, password }: { username: string; password: string }): Promise<void> {
    await on.goto(demo.url)
    await on.getByRole('link', { name: 'Sign in' }).click()
    await on.getByLabel('User name').fill(username)
    await on.getByLabel('Password').fill(password)
    await on.getByRole('button', { name: 'Sign in' }).click()
    await on.waitForLoadState()
  }

  it('WB-4 WB-10: a stranger registers at the first sign-in and arrives at the relying party', async () => {
    await page.goto(demo.url)
    wrong.push(...(await look(page, '00-relying-party')))
    await page.getByRole('link', { name: 'Sign in' }).click()
    expect(await where(page)).toBe('sign-in')
    await lookAtBoth('01-sign-in')

    await page.getByLabel('User name').fill(demoAccounts[0].username)
    await page.getByLabel('Password').fill(demoAccounts[0].password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL((url) => url.pathname.startsWith('/interaction/'))
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('More information required')
    expect(await page.getByRole('listitem').filter({ hasText: 'Authenticator app' }).count()).toBe(1)
    await lookAtBoth('02-registration')

    await press(page)
    expect(await where(page)).toBe('prove:email')
    await lookAtBoth('03-trust-gate')
    await page.getByLabel('8-digit code').fill(await mailed(demoAccounts[0].email, '04-outbox'))
    await press(page)

    expect(await where(page)).toBe('enrol:totp')
    await lookAtBoth('05-authenticator')
    secret = await secretOn(page)
    const uri = (await page.locator('.tap a').getAttribute('href')) ?? ''
    expect(new URL(uri).searchParams.get('secret')).toBe(secret)
    expect(new URL(uri).searchParams.get('issuer')).toBe('Demo sign-in')
    const drawn = await modules(page)
    const expected = encode(uri, { ecc: 'M', border: 4 })
    expect(drawn.size).toBe(expected.size)
    expect(drawn.dark).toBe(
      expected.data
        .flat()
        .map((dark) => (dark ? '1' : '0'))
        .join(''),
    )
    await page.getByLabel('6-digit code').fill(totpCode(secret, Date.now()))
    await press(page)

    expect(await where(page)).toBe('enrol:recovery-codes')
    await lookAtBoth('06-recovery-codes')
    const codes = await page.locator('[data-recovery-code]').allInnerTexts()
    expect(new Set(codes).size).toBe(10)
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('a[download]').click()])
    const file = await readFile(await download.path(), 'utf8')
    for (const code of codes) expect(file).toContain(code)
    expect(download.suggestedFilename()).toBe('recovery-codes.txt')
    await page.getByLabel('I have saved these codes').check()
    await press(page)

    expect(await where(page)).toBe('registered')
    await lookAtBoth('07-registered')
    await press(page)
    expect(new URL(page.url()).origin).toBe(demo.url)
    expect(await where(page)).toBe('signed-in')
    wrong.push(...(await look(page, '08-signed-in')))
    const told = await claims(page)
    expect(told['acr']).toBe('urn:oidc-self-service:acr:mfa')
    expect(JSON.parse(told['amr'] ?? '')).toEqual(['pwd', 'otp', 'mfa'])
    expect(Math.abs(Number(told['auth_time']) - Date.now() / 1000)).toBeLessThan(120)

    expect(seen.said).toEqual([])
    expect([...seen.origins].toSorted()).toEqual([demo.issuer, demo.url].toSorted())
  })

  it('signs out at the provider, with a question and an answer', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL((url) => url.origin === demo.issuer)
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Sign out?')
    wrong.push(...(await look(page, '09-sign-out')))
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL((url) => url.origin === demo.url)
    expect(await where(page)).toBe('signed-out')
    expect(seen.said).toEqual([])
  })

  it('TO-3: the second sign-in asks for password and code only, and takes no code twice', async () => {
    await signIn(page, demoAccounts[0])
    expect(await where(page)).toBe('prove:totp')
    await lookAtBoth('10-second-factor')
    // One step ahead: the code of the step in which the app was added is spent.
    used = totpCode(secret, Date.now() + 30_000)
    await page.getByLabel('6-digit code').fill(used)
    await press(page)
    expect(await where(page)).toBe('signed-in')
    expect(JSON.parse((await claims(page))['amr'] ?? '')).toEqual(['pwd', 'otp', 'mfa'])

    const other = await chrome().newContext(desktop)
    const replay = await other.newPage()
    await signIn(replay, demoAccounts[0])
    await replay.getByLabel('6-digit code').fill(used)
    await press(replay)
    expect(await where(replay)).toMatch(/^prove:totp!(code_used|wrong_code)$/)
    expect(await replay.title()).toMatch(/^That code /)
    wrong.push(...(await look(replay, '11-code-used.en')))
    await other.close()
  })

  it('OI-4: a guest looks around after a password, and proves a second factor at checkout', async () => {
    const [first, second] = [await chrome().newContext(desktop), await chrome().newContext(desktop)]
    const guest = demoAccounts[2]
    const heard = watch(first)
    const [shop, other] = [await first.newPage(), await second.newPage()]
    for (const one of [shop, other]) {
      await signIn(one, guest)
      expect(await where(one)).toBe('signed-in')
      expect((await claims(one))['acr']).toBe('urn:oidc-self-service:acr:pwd')
    }
    wrong.push(...(await look(shop, '12-guest')))
    const checkout = async (one: Page): Promise<void> => {
      await one.getByRole('button', { name: 'Checkout' }).click()
      await one.waitForURL((url) => url.origin === demo.issuer)
    }

    await checkout(shop)
    expect(await where(shop)).toBe('password')
    wrong.push(...(await look(shop, '13-step-up')))
    await press(shop, 'cancel')
    expect(await shop.getByRole('status').innerText()).toContain('You cancelled. Nothing was done.')
    wrong.push(...(await look(shop, '14-step-up-cancelled')))

    await checkout(shop)
    await shop.getByLabel('Password').fill(guest.password)
    await press(shop)
    expect(await where(shop)).toBe('registration')
    await press(shop)
    await shop.locator('#code').fill(await mailed(guest.email))
    await press(shop)
    const app = await secretOn(shop)
    await shop.locator('#code').fill(totpCode(app, Date.now()))
    await press(shop)
    await shop.getByLabel('I have saved these codes').check()
    await press(shop)
    await press(shop)
    expect(await shop.getByRole('status').innerText()).toMatch(/^Order A-\d{4} is placed\./)
    wrong.push(...(await look(shop, '15-ordered')))
    expect(await claims(shop, 'introspected')).toMatchObject({ acr: 'urn:oidc-self-service:acr:mfa' })

    const { auth_time: since } = await claims(other)
    await checkout(other)
    expect(await where(other)).toBe('prove:totp')
    await other.locator('#code').fill(totpCode(app, Date.now() + 30_000))
    await press(other)
    expect(await other.getByRole('status').innerText()).toMatch(/^Order A-\d{4} is placed\./)
    expect(await claims(other)).toMatchObject({
      acr: 'urn:oidc-self-service:acr:mfa',
      amr: '["pwd","otp","mfa"]',
      auth_time: since,
    })
    await other.getByRole('button', { name: 'Refresh' }).click()
    await other.getByText('refreshed 1 time').waitFor()
    expect((await claims(other))['auth_time']).toBe(since)

    await shop.getByRole('link', { name: 'Change your password' }).click()
    expect(new URL(shop.url()).origin).toBe(demo.issuer)
    await press(shop, 'cancel')
    expect(await shop.getByRole('status').innerText()).toContain('You cancelled. Your password was not changed.')
    await shop.getByRole('link', { name: 'Set up security info' }).click()
    await shop.waitForURL((url) => url.origin === demo.url || url.origin === demo.issuer)
    wrong.push(...(await look(shop, '16-security-info')))
    expect(heard.said).toEqual([])
    await first.close()

    // Signed out at the provider, elsewhere: the shop says so on its next page.
    const elsewhere = await second.newPage()
    await elsewhere.goto(`${demo.issuer}/session/end`)
    await elsewhere.getByRole('button', { name: 'Sign out' }).click()
    await elsewhere.waitForURL((url) => url.pathname === '/session/end/success')
    await other.goto(demo.url)
    for (let tries = 0; (await where(other)) !== 'signed-out' && tries < 100; tries++) await other.goto(demo.url)
    expect(await other.getByRole('status').innerText()).toBe('You were signed out by the provider.')
    wrong.push(...(await look(other, '17-signed-out-by-provider')))
    await second.close()
  })

  it('the switch: what an administrator saves counts for the next sign-in, and is recorded', async () => {
    const { config } = demo.files
    const text = await readFile(config, 'utf8')
    const visits = async (required: boolean): Promise<string> => {
      await writeFile(config, text.replace('required: true', `required: ${required}`))
      const other = await chrome().newContext(desktop)
      const bob = await other.newPage()
      await signIn(bob, demoAccounts[1])
      const arrived = await where(bob)
      await other.close()
      return arrived
    }
    expect(await visits(false)).toBe('signed-in')
    expect(await visits(true)).toBe('registration')
    const store = await openStore(demo.config.store)
    const events = await store.audit.query({ kind: 'policy.changed' }, 10)
    await store.close()
    expect(events.map(({ detail }) => detail?.['changes'])).toEqual([
      [{ option: 'registration.required', from: true, to: false }],
      [{ option: 'registration.required', from: false, to: true }],
    ])
  })

  it('every page that was met: no violation of WCAG 2.2 AA, none wider than its window', async () => {
    expect(wrong).toEqual([])
    // The looking itself is worth something only if it sees.
    await page.setContent('<html><body><img src="x"><input></body></html>')
    expect((await axe(page)).join()).toContain('image-alt')
  })
})
