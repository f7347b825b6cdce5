// A block of tests with a real browser. Without one it is skipped loudly, and fails in CI.
import { afterAll, beforeAll, describe, it, jest } from '@jest/globals'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { findChrome, launch } from './browser.ts'

const missing = 'no Chrome or Chromium is installed. Get one: apt-get install chromium (or name yours in CHROME_PATH)'

/** A describe block with one browser for all its tests. */
export function describeInChrome(name: string, body: (chrome: () => Browser) => void): void {
  const path = findChrome()
  if (path === undefined) {
    if (process.env['CI'] === 'true') throw new Error(missing)
    console.warn(`\nBROWSER TESTS ARE SKIPPED ("${name}"): ${missing}`)
    describe.skip(name, () => {
      it('needs a browser', () => undefined)
    })
    return
  }
  // A busy machine draws pages slowly; these tests wait for pages, never for time.
  jest.setTimeout(120_000)
  describe(name, () => {
    let browser: Browser | undefined
    beforeAll(async () => {
      browser = await launch(path)
    })
    afterAll(async () => {
      await browser?.close()
    })
    body(() => {
      if (!browser) throw new Error('the browser is not there yet')
      return browser
    })
  })
}

/** What most people have: a desktop window, in English. */
export const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, locale: 'en-GB' }
