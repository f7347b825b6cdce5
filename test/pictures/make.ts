// Takes the README's picture, "More information required", from a running provider. Run: node test/pictures/make.ts
import { stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { findChrome, launch } from '../chromium/browser.ts'
import { site } from '../chromium/site.ts'
import { walkTo } from '../chromium/walk.ts'

const LARGEST = 120_000
const file = fileURLToPath(new URL('registration.png', import.meta.url))

const path = findChrome()
if (path === undefined) throw new Error('no Chrome or Chromium: apt-get install chromium, or name yours in CHROME_PATH')
const here = await site()
const browser = await launch(path)
try {
  await here.world.add('alice')
  const page = await browser.newPage({
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    colorScheme: 'light',
  })
  await page.goto(here.start())
  await walkTo(page, 'registration', here, { username: 'alice', secret: '' })
  // The card and enough of what is around it; the whole pattern would double the size of the file.
  const width = 800
  const end = await page.locator('footer').boundingBox()
  const height = Math.ceil((end?.y ?? 760) + (end?.height ?? 0) + 28)
  await page.setViewportSize({ width: 1280, height: Math.max(height, 800) })
  await page.screenshot({ path: file, clip: { x: (1280 - width) / 2, y: 24, width, height: height - 24 } })
} finally {
  await browser.close()
  await here.close()
}
const { size } = await stat(file)
console.log(`${file}: ${Math.round(size / 1000)} kB`)
if (size > LARGEST) throw new Error(`the picture should stay under ${LARGEST} bytes`)
