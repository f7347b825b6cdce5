// Looks at a page as it is: axe in both themes and languages, and with PICTURES=1 a picture of each, narrow and wide.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

const folder = fileURLToPath(new URL('../.artifacts/chromium/', import.meta.url))
const script = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

export const themes = ['light', 'dark'] as const
const widths = [360, 1280] as const

/** Violations of WCAG 2.2 AA and axe's best practices, each with the markup it is about. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(script)
  const { violations } = await page.evaluate<AxeResults>(
    `axe.run({ runOnly: ${JSON.stringify(tags)}, preload: false, resultTypes: ["violations"] })`,
  )
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)
}

/** Violations, and what is wider than its window, in both themes and at both widths; the page stays as it was. */
export async function look(page: Page, name: string): Promise<string[]> {
  const found: string[] = []
  const window = page.viewportSize() ?? { width: 1280, height: 800 }
  for (const colorScheme of themes) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    found.push(...(await axe(page)).map((violation) => `${name} ${colorScheme} ${violation}`))
    for (const width of widths) {
      await page.setViewportSize({ width, height: window.height })
      if (process.env['PICTURES'] !== undefined) {
        await page.screenshot({ path: `${folder}${name}.${colorScheme}.${width}.png`, fullPage: true })
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
      if (wide) found.push(`${name} is wider than ${width}`)
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(window)
  return found
}
