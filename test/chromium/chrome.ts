// A real Chrome or Chromium for the tests: found where it is installed; its absence is loud, and a failure in CI.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { type Browser, type BrowserContextOptions, chromium } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome']
const elsewhere = [
  '/snap/bin/chromium',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  String.raw`C:\Program Files\Google\Chrome\Application\chrome.exe`,
]

const runnable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** CHROME_PATH wins; a wrong one is an error, not a reason to take another. */
export function findChrome(): string | undefined {
  const named = process.env['CHROME_PATH']
  if (named !== undefined && named !== '') {
    if (runnable(named)) return named
    throw new Error(`CHROME_PATH names ${named}, which is no program that can be run.`)
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...elsewhere].find(runnable)
}

const missing = 'no Chrome or Chromium is installed. Get one: apt-get install chromium (or name yours in CHROME_PATH)'

export const launch = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

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
