// Draws every page and mail in each language, theme and width to test/.artifacts/gallery, and runs axe on each. Run: node test/gallery.ts [name ...]
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import { chromium } from 'playwright-core'
import { createViews } from '../src/http/render.ts'
import { mails, pages } from './http/samples.ts'

const folder = fileURLToPath(new URL('.artifacts/gallery/', import.meta.url))
const csp =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'"
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const wanted = process.argv.slice(2)
const views = await createViews()

const html = (language: string, name: string): string | undefined => {
  const page = pages[name]
  if (page) return views.page({ ...page, language }).html.replace(/<meta http-equiv="refresh"[^>]*>/, '')
  const mail = mails[name.replace(/^mail-/, '')]
  return mail && views.mail(mail.template, language, mail.values).html
}

const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname
  const asset = views.asset(path.replace('/assets/', ''))
  if (asset) return response.writeHead(200, { 'content-type': asset.type }).end(asset.body)
  const [, language = '', name = ''] = path.split('/')
  const body = html(language, name)
  if (body === undefined) return response.writeHead(404).end()
  const policy = name.startsWith('mail-') ? {} : { 'content-security-policy': csp }
  return response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...policy }).end(body)
})
await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
const address = server.address()
const origin = `http://localhost:${typeof address === 'object' ? address?.port : ''}`

await mkdir(folder, { recursive: true })
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
})
let bad = 0
const names = [...Object.keys(pages), ...Object.keys(mails).map((name) => `mail-${name}`)]
for (const { tag } of views.languages) {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 1280]) {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 780 }, bypassCSP: true })
      const page = await context.newPage()
      page.on('console', (message) => console.log(`  console: ${message.text()}`))
      for (const name of names.filter((candidate) => wanted.length === 0 || wanted.includes(candidate))) {
        await page.goto(`${origin}/${tag}/${name}`)
        await page.screenshot({ path: `${folder}${name}.${tag}.${colorScheme}.${width}.png`, fullPage: true })
        const wide = await page.evaluate(
          () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
        )
        if (wide) console.log(`${name} ${tag} ${width}: wider than the window`)
        await page.evaluate(axe)
        const results = await page.evaluate<AxeResults>(
          'axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] })',
        )
        for (const violation of name.startsWith('mail-') ? [] : results.violations) {
          bad += 1
          console.log(
            `${name} ${tag} ${colorScheme} ${width}: ${violation.id}: ${violation.nodes.map((node) => node.html).join(' | ')}`,
          )
        }
      }
      await context.close()
    }
  }
}
await browser.close()
server.close()
console.log(`${bad} accessibility violations`)
process.exitCode = bad === 0 ? 0 : 1
