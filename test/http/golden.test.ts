// Every page and mail in English, word for word: `GOLDEN=1 npm test -- test/http/golden` writes the files anew, to be read like prose.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { createViews } from '../../src/http/render.ts'
import { mails, pages } from './samples.ts'

const folder = fileURLToPath(new URL('../golden/', import.meta.url))
const views = await createViews()

/** Digests of assets and the drawing of the QR code are not what these files are read for. */
const plain = (text: string): string =>
  text.replace(/\.[0-9a-f]{12}\./g, '.DIGEST.').replace(/ d="M4 4[^"]*"/, ' d="..."')

async function expectGolden(name: string, text: string): Promise<void> {
  const path = `${folder}${name}`
  if (process.env['GOLDEN'] === '1') {
    await mkdir(folder, { recursive: true })
    await writeFile(path, plain(text))
  }
  expect(plain(text)).toBe(await readFile(path, 'utf8'))
}

describe('pages', () => {
  it.each(Object.keys(pages))('%s is as it was read', async (name) => {
    const rendering = pages[name]
    if (!rendering) throw new Error(name)
    await expectGolden(`${name}.html`, views.page(rendering).html)
  })
})

describe('mails', () => {
  it.each(Object.keys(mails))('%s is as it was read', async (name) => {
    const letter = mails[name]
    if (!letter) throw new Error(name)
    const mail = views.mail(letter.template, 'en', letter.values)
    await expectGolden(`mail-${name}.txt`, `Subject: ${mail.subject}\n\n${mail.text}`)
    await expectGolden(`mail-${name}.html`, mail.html)
  })
})
