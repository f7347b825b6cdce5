// The strength meter in a real browser: what it says, what it fetches and when, and the page without it.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { contentSecurityPolicy } from '../../src/http/guard.ts'
import { createViews } from '../../src/http/render.ts'
import { desktop, describeInChrome } from './chrome.ts'
import { watch } from './watch.ts'

describeInChrome('the strength meter', (chrome) => {
  let server: Server
  let address: string
  /** Names of assets that are not found. */
  const gone = new Set<string>()

  beforeAll(async () => {
    const views = await createViews()
    const { html } = views.page({
      shown: { page: { name: 'new-password', why: 'reset', username: 'alice', least: 8 }, cancel: true, step: 's' },
      language: 'en',
      reference: 'r',
      service: { name: 'Example' },
      assets: '/assets',
      now: 0,
    })
    server = createServer((request, response) => {
      response.setHeader('Content-Security-Policy', contentSecurityPolicy(["'self'"]))
      response.setHeader('X-Content-Type-Options', 'nosniff')
      const name = /^\/assets\/(.+)$/.exec(request.url ?? '')?.[1]
      if (name === undefined) {
        response.setHeader('Content-Type', 'text/html; charset=utf-8')
        response.end(html)
        return
      }
      const asset = [...gone].some((part) => name.startsWith(part)) ? undefined : views.asset(name)
      if (asset) response.setHeader('Content-Type', asset.type)
      response.statusCode = asset ? 200 : 404
      response.end(asset?.body)
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  })

  async function open(options: BrowserContextOptions = {}) {
    const context = await chrome().newContext({ ...desktop, ...options })
    const seen = watch(context)
    const page = await context.newPage()
    await page.goto(address)
    const asked = () => seen.requests.map(({ url }) => /\/([\w-]+)\.\w+\.js$/.exec(url)?.[1]).filter(Boolean)
    return { context, page, seen, asked }
  }

  const words = (page: Page) => page.locator('[data-meter] [role=status]')
  const placeOf = async (page: Page) => (await page.locator('#confirm_password').boundingBox())?.y

  it('PW-7, RS-12: fetches its parts with the first character, from here, and sends nothing of it', async () => {
    const { context, page, seen, asked } = await open()
    expect(asked()).toEqual(['meter'])
    const before = await placeOf(page)
    await page.locator('#new_password').pressSequentially('p')
    await page.locator('[data-meter][data-score="0"]').waitFor()
    expect(await words(page).textContent()).toBe('Still too short')
    expect(new Set(asked())).toEqual(new Set(['meter', 'meter-engine', 'meter-words']))
    for (const [password, score, says] of [
      ['password1', '0', 'Very easy to guess'],
      ['alice2024', '1', 'Easy to guess'],
      ['mellow paper kites by the sea', '4', 'Very hard to guess'],
    ] as const) {
      await page.locator('#new_password').fill(password)
      await page.locator('[data-meter]').getByText(says, { exact: true }).waitFor()
      expect([password, await page.locator('[data-meter]').getAttribute('data-score')]).toEqual([password, score])
    }
    expect(await page.locator('[data-rule=length][data-met]').count()).toBe(1)
    await page.locator('#new_password').fill('')
    await page.locator('[data-meter]:not([data-score])').waitFor()
    expect(await words(page).textContent()).toBe('')
    expect(await placeOf(page)).toBe(before)
    expect(asked()).toHaveLength(3)
    expect(seen.requests.every(({ method, url }) => method === 'GET' && !/alice|password1|mellow/.test(url))).toBe(true)
    expect(seen.said).toEqual([])
    await context.close()
  })

  it('is fast enough to type with, 256 characters long', async () => {
    const { context, page } = await open()
    await page.locator('#new_password').fill('x')
    await page.locator('[data-meter][data-score]').waitFor()
    const took = await page.evaluate(async () => {
      const field = document.querySelector('#new_password') as HTMLInputElement
      field.value = Array.from({ length: 256 }, (_, index) => String.fromCharCode(33 + ((index * 37) % 90))).join('')
      field.dispatchEvent(new Event('input', { bubbles: true }))
      const before = performance.now()
      while (document.querySelector('[data-meter]')?.getAttribute('data-score') !== '4') {
        await new Promise((done) => setTimeout(done, 5))
      }
      return performance.now() - before
    })
    expect(took).toBeLessThan(2000)
    await context.close()
  })

  it.each(['meter-engine', 'meter-words'])('without %s it says nothing, and the page stays as it is', async (part) => {
    gone.add(part)
    try {
      const { context, page } = await open()
      const before = await placeOf(page)
      await page.locator('#new_password').fill('mellow paper kites')
      await page.locator('[data-meter]').waitFor({ state: 'hidden' })
      expect(await placeOf(page)).toBe(before)
      expect(await page.locator('#new_password').inputValue()).toBe('mellow paper kites')
      await context.close()
    } finally {
      gone.clear()
    }
  })

  it('without scripts there is no meter, and the form is whole', async () => {
    const { context, page, asked } = await open({ javaScriptEnabled: false })
    expect(asked()).toEqual([])
    expect(await page.locator('[data-meter]').isVisible()).toBe(false)
    await page.locator('#new_password').fill('mellow paper kites')
    expect(await page.locator('form [name=new_password], form [name=confirm_password]').count()).toBe(2)
    await context.close()
  })

  it.each(['light', 'dark'] as const)('is drawn in %s', async (colorScheme) => {
    const { context, page } = await open({ colorScheme })
    await page.locator('#new_password').fill('mellow paper kites by the sea')
    await page.locator('[data-meter][data-score="4"]').waitFor()
    const colours = await page
      .locator('[data-meter] .bar i')
      .evaluateAll((parts) => parts.map((part) => getComputedStyle(part).backgroundColor))
    expect(new Set(colours).size).toBe(1)
    expect(colours[0]).toBe(colorScheme === 'dark' ? 'rgb(132, 211, 190)' : 'rgb(29, 97, 82)')
    await context.close()
  })
})
