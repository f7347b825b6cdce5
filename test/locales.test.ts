// Each language has every key and placeholder, every key that a view or the code uses exists, and none is unused.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { problemCodes } from '../src/domain/problems.ts'
import { ownViews, readTree } from '../src/http/view-files.ts'

const files = await readTree(ownViews)
const texts = (tag: string): Record<string, string> =>
  JSON.parse(files.get(`locales/${tag}.json`)?.body.toString() ?? '{}')
const tags = [...files.keys()].flatMap((name) => /^locales\/(.+)\.json$/.exec(name)?.[1] ?? [])
const english = texts('en')

const plural = /\.(?:zero|one|two|few|many|other)$/
/** Texts that are chosen by a count: the key without its form. */
const counted = new Set(
  Object.keys(english)
    .filter((key) => key.endsWith('.other') && english[key]?.includes('{count}'))
    .map((key) => key.slice(0, -'.other'.length)),
)
const base = (key: string): string => (counted.has(key.replace(plural, '')) ? key.replace(plural, '') : key)
const placeholders = (text: string): string[] =>
  [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '').toSorted()

const templates = [...files].filter(([name]) => name.endsWith('.hbs'))
const methods = [...new Set(templates.flatMap(([name]) => /^methods\/([^/]+)\//.exec(name)?.[1] ?? []))]
const source = (
  await Promise.all(
    ['page-context', 'page-details', 'mail-context', 'i18n'].map((name) =>
      readFile(fileURLToPath(new URL(`../src/http/${name}.ts`, import.meta.url)), 'utf8'),
    ),
  )
).join('\n')

/** What a notice can be about, and why a reset can be refused. */
const happenings = [
  'password.reset',
  'password.changed',
  'password.activated',
  'account.unlocked',
  'account.updated',
  'account.frozen',
  'sign-in.locked',
  'credential.disabled',
  'registration.item',
  'recovery-code.spent',
  'admin.reset',
]
const reasons = ['disabled', 'not-registered', 'out-of-scope', 'administrator']

/** Keys whose end is only known when a page is shown, and keys that the code names. */
const named = [
  'language.name',
  ...[...source.matchAll(/words\.t\('([\w.-]+)'/g)].map((match) => match[1] ?? ''),
  ...problemCodes.map((code) => `problem.${code}`),
  ...['sign-in', 'password', 'forgot', 'registration', 'registered', 'consent'].map((page) => `title.${page}`),
  ...['choose-method', 'choose-method.trust-gate', 'choose-method.enrol'].map((page) => `title.${page}`),
  'title.choose-method.reset',
  'title.new-password',
  'title.new-password.activation',
  'changed.sign-in',
  'changed.sign-in.unlock',
  ...['continue', 'signed-out', 'sign-out', 'device-code', 'device-confirm', 'device-done'].map(
    (page) => `title.${page}`,
  ),
  ...['not-me', 'not-me-done', 'done', 'cancelled'].map((page) => `title.${page}`),
  ...['reset', 'activation', 'change', 'temporary', 'flagged', 'compromised'].map((why) => `new-password.lead.${why}`),
  ...['reset', 'activation', 'change', 'unlock'].flatMap((what) => [`changed.${what}`, `title.changed.${what}`]),
  ...methods.flatMap((id) => [
    `method.${id}.name`,
    `method.${id}.about`,
    `method.${id}.prove.title`,
    `method.${id}.enrol.title`,
    `method.${id}.reset.about`,
  ]),
  'method.password.name',
  ...['email', 'other'].flatMap((id) => [`registration.trust-gate.${id}.name`, `registration.trust-gate.${id}.about`]),
  ...templates
    .flatMap(([name]) => /^mail\/([\w-]+)\.html\.hbs$/.exec(name)?.[1] ?? [])
    .flatMap((name) => (name === 'notice' ? [] : [`mail.${name}.subject`])),
  ...['reset-blocked', 'invite'].flatMap((name) => [`mail.${name}.lead`, `mail.${name}.not-you`]),
  ...[...happenings, 'other'].flatMap((what) => [`mail.notice.${what}.subject`, `mail.notice.${what}.lead`]),
  ...[...reasons, 'other'].map((why) => `mail.reset-blocked.why.${why}`),
  'mail.code.not-you',
  'mail.code.not-you.reset',
  'mail.browser',
  ...['enrol', 'prove', 'reset', 'other'].map((purpose) => `mail.code.purpose.${purpose}`),
]
const used = new Set([
  ...named,
  ...templates.flatMap(([, file]) =>
    [...file.body.toString().matchAll(/[({](?:t|rich) '([^']+)'/g)].map((match) => match[1] ?? ''),
  ),
])
/** Texts that are shown when there are some: what to do about a problem, words for a scope. */
const optional = (key: string): boolean =>
  /^(?:scope|claim)\./.test(key) || problemCodes.some((code) => key === `problem.${code}.help`)

describe.each(tags)('%s', (tag) => {
  const own = texts(tag)

  it('has every key of English, and no other', () => {
    const keys = (of: Record<string, string>): string[] => [...new Set(Object.keys(of).map(base))].toSorted()
    expect(keys(own)).toEqual(keys(english))
  })

  it('has a text for every form that its numbers take', () => {
    const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories
    for (const key of counted) {
      const has = Object.keys(own).filter((candidate) => base(candidate) === key)
      expect(has.toSorted()).toEqual(forms.map((form) => `${key}.${form}`).toSorted())
    }
  })

  it('has the same placeholders', () => {
    for (const [key, text] of Object.entries(own)) {
      const model = english[key] ?? english[`${base(key)}.other`] ?? ''
      const known = key.endsWith('.one') ? [] : placeholders(model)
      if (!key.endsWith('.one')) expect([key, placeholders(text)]).toEqual([key, known])
    }
  })

  it('has no empty text, no stray brace and no mark-up', () => {
    for (const [key, text] of Object.entries(own)) {
      expect([key, text.trim() === text && text !== '']).toEqual([key, true])
      expect([key, text.replace(/\{\w+\}/g, '')]).toEqual([key, expect.not.stringMatching(/[<>{}&]/)])
    }
  })
})

describe('keys', () => {
  it('exist when a view or the code uses them', () => {
    expect([...used].filter((key) => !(key in english) && !counted.has(key))).toEqual([])
  })

  it('are used when they exist', () => {
    expect(Object.keys(english).filter((key) => !used.has(base(key)) && !optional(key))).toEqual([])
  })

  it('were found at all', () => {
    expect(tags).toContain('zh-TW')
    expect(templates.length).toBeGreaterThan(20)
    expect(used.size).toBeGreaterThan(100)
  })
})
