// A host's own folder of views: files replace ours one by one, texts merge key by key, mistakes are named at the start.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { createViews } from '../../src/http/render.ts'
import { pages, render } from './samples.ts'

const made: string[] = []
afterAll(() => Promise.all(made.map((folder) => rm(folder, { recursive: true }))))

async function folder(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'views-'))
  made.push(root)
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), text)
  }
  return root
}

const sample = (name: string) => pages[name] ?? render({ error: 'internal' })

describe('overrides', () => {
  it('replace a page, a partial and a text, and leave the rest', async () => {
    const overrides = await folder({
      'pages/signed-out.hbs': '<p>Bye from {{service.name}}</p>\n',
      'partials/mark.hbs': '<b>logo</b>',
      'locales/en.json': '{ "title.sign-in": "Welcome" }',
    })
    const views = await createViews({ overrides })
    expect(views.page(sample('signed-out')).html).toContain('<p>Bye from Example sign-in</p>')
    const signIn = views.page(sample('sign-in')).html
    expect(signIn).toContain('<h1>Welcome</h1>')
    expect(signIn).toContain('<b>logo</b>')
    expect(signIn).toContain('>Password</label>')
  })

  it('add a language; what it lacks is English', async () => {
    const overrides = await folder({ 'locales/de.json': '{ "language.name": "Deutsch", "title.sign-in": "Anmelden" }' })
    const views = await createViews({ overrides })
    expect(views.languages.map(({ tag }) => tag)).toEqual(['en', 'zh-TW', 'de'])
    expect(views.negotiate({ acceptLanguage: 'de-AT' })).toBe('de')
    const page = views.page({ ...sample('sign-in-wait'), language: 'de' }).html
    expect(page).toContain('<h1>Anmelden</h1>')
    expect(page).toContain('>Password</label>')
    expect(page).toContain('>Deutsch</a>')
  })

  it('add to the stylesheet, whose name changes with it', async () => {
    const ours = await createViews()
    const theirs = await createViews({ overrides: await folder({ 'public/brand.css': ':root { --accent: #204080 }' }) })
    const name = theirs.assetName('style.css')
    expect(name).not.toBe(ours.assetName('style.css'))
    const style = theirs.asset(name)?.body.toString() ?? ''
    expect(style).toContain('--accent: #1d6152')
    expect(style.trimEnd().endsWith('--accent: #204080 }')).toBe(true)
    expect(theirs.page(sample('sign-in')).html).toContain(`/assets/${name}`)
  })

  it.each([
    ['pages/sign-in.hbs', '{{#if client}}', 'sign-in.hbs'],
    ['pages/sign-in.hbs', '{{unknown "x"}}', 'sign-in.hbs'],
    ['locales/en.json', '{', 'en.json is not valid JSON'],
    ['locales/en.json', '{ "title.sign-in": 1 }', '"title.sign-in" must be a string'],
    ['locales/en.json', '[]', 'en.json must hold one object'],
  ])('refuse to start with %s as %j', async (name, text, message) => {
    await expect(createViews({ overrides: await folder({ [name]: text }) })).rejects.toThrow(message)
  })

  it('refuse to start with a folder that is not there', async () => {
    await expect(createViews({ overrides: join(tmpdir(), 'no-such-views') })).rejects.toThrow('no-such-views')
  })
})

describe('assets', () => {
  it('are found by their digest only', async () => {
    const views = await createViews()
    expect(views.asset(views.assetName('icon.svg'))?.type).toBe('image/svg+xml')
    for (const name of ['style.css', '../locales/en.json', 'brand.css', '', 'style.000000000000.css']) {
      expect(views.asset(name)).toBeUndefined()
    }
  })
})
