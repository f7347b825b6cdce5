// The words of pages and mails in every language, and which language a reader gets.
import type { ViewFile } from './view-files.ts'

export type Values = Readonly<Record<string, unknown>>

export interface Language {
  tag: string
  name: string
}

export interface Texts {
  languages: readonly Language[]
  has(tag: string, key: string): boolean
  /** The text with its `{placeholders}` filled. A `count` chooses between `key.one`, `key.other`, ... Throws for what is not there. */
  text(tag: string, key: string, values?: Values): string
  /** The text cut at its placeholders: odd items are names of values. For texts with mark-up around a value. */
  pieces(tag: string, key: string, values?: Values): readonly string[]
}

export const fallbackLanguage = 'en'

const localeFile = /^locales\/([A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*)\.json$/

function parseLocale(file: ViewFile): Record<string, string> {
  let content: unknown
  try {
    content = JSON.parse(file.body.toString('utf8'))
  } catch (error) {
    throw new Error(`${file.path} is not valid JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new Error(`${file.path} must hold one object of texts`)
  }
  const texts: Record<string, string> = {}
  for (const [key, text] of Object.entries(content)) {
    if (typeof text !== 'string') throw new Error(`${file.path}: the text "${key}" must be a string`)
    texts[key] = text
  }
  return texts
}

/** Merges the layers key by key. A language that lacks a text shows the English one. */
export function createTexts(layers: readonly Map<string, ViewFile>[]): Texts {
  const locales = new Map<string, Map<string, string>>()
  for (const layer of layers) {
    for (const [name, file] of layer) {
      const tag = localeFile.exec(name)?.[1]
      if (tag === undefined) continue
      const texts = locales.get(tag) ?? new Map<string, string>()
      for (const [key, text] of Object.entries(parseLocale(file))) texts.set(key, text)
      locales.set(tag, texts)
    }
  }
  const find = (tag: string, key: string, values?: Values): string | undefined => {
    for (const candidate of [tag, fallbackLanguage]) {
      const texts = locales.get(candidate)
      if (!texts) continue
      const count = values?.['count']
      const form = typeof count === 'number' ? new Intl.PluralRules(candidate).select(count) : undefined
      const text = (form && (texts.get(`${key}.${form}`) ?? texts.get(`${key}.other`))) ?? texts.get(key)
      if (text !== undefined) return text
    }
    return undefined
  }
  const pieces = (tag: string, key: string, values: Values = {}): readonly string[] => {
    const text = find(tag, key, values)
    if (text === undefined) throw new Error(`no text "${key}" in ${tag}`)
    return text.split(/\{(\w+)\}/)
  }
  const value = (key: string, name: string, values: Values): string => {
    const given = values[name]
    if (typeof given === 'string') return given
    if (typeof given === 'number') return String(given)
    throw new Error(`the text "${key}" needs the value "${name}"`)
  }
  const languages = [...locales].map(([tag, texts]) => ({ tag, name: texts.get('language.name') ?? tag }))
  return {
    languages: languages.sort((a, b) => Number(b.tag === fallbackLanguage) - Number(a.tag === fallbackLanguage)),
    has: (tag, key) => find(tag, key) !== undefined,
    text: (tag, key, values = {}) =>
      pieces(tag, key, values)
        .map((piece, index) => (index % 2 === 0 ? piece : value(key, piece, values)))
        .join(''),
    pieces,
  }
}
