// Compiles the Handlebars views when the program starts: a mistake in one, a host's own included, is found before anybody sees it.
import { Script } from 'node:vm'
import Handlebars from 'handlebars'
import type { Texts, Values } from './i18n.ts'
import { safeDrawing, safeLink } from './safe-markup.ts'
import type { ViewFile } from './view-files.ts'
import { day } from './wording.ts'

export interface Templates {
  has(name: string): boolean
  render(name: string, context: object): string
}

type Options = Handlebars.HelperOptions
const language = (options: Options): string => String(options.data.root.language)

/** A name or address that fits a line of a phone is not broken. */
const whole = /^\S{1,24}$/

/** Every helper that views may use. */
const createHelpers = (texts: Texts): Record<string, Handlebars.HelperDelegate> => ({
  t: (key: string, options: Options) => texts.text(language(options), key, options.hash),
  /** The text with each value in `<strong>`; text and values are escaped. */
  rich: (key: string, options: Options) => {
    const values: Values = options.hash
    const pieces = texts.pieces(language(options), key, values).map((piece, index) => {
      if (index % 2 === 0) return Handlebars.escapeExpression(piece)
      const value = values[piece]
      const given = typeof value === 'string' || typeof value === 'number' ? String(value) : ''
      return `<strong${whole.test(given) ? ' class="whole"' : ''}>${Handlebars.escapeExpression(given)}</strong>`
    })
    return new Handlebars.SafeString(pieces.join(''))
  },
  eq: (a: unknown, b: unknown) => a === b,
  day: (date: string, options: Options) => day(language(options), date),
  link: (link: string) => safeLink(link) ?? '#',
  drawing: (svg: string) => new Handlebars.SafeString(safeDrawing(svg)),
  /** A text file as an address: its lines, one after the other. */
  file: (...parts: unknown[]) => {
    const lines = parts.slice(0, -1).flat().map(String)
    return `data:text/plain;charset=utf-8,${encodeURIComponent(`${lines.join('\r\n')}\r\n`.toWellFormed())}`
  },
})

/** `pages/sign-in.hbs` is known as `pages/sign-in`, and may be used by any other as a partial. */
export function compileTemplates(layers: readonly Map<string, ViewFile>[], texts: Texts): Templates {
  const handlebars = Handlebars.create()
  const helpers = createHelpers(texts)
  handlebars.registerHelper(helpers)
  const knownHelpers = Object.fromEntries(Object.keys(helpers).map((name) => [name, true]))
  const files = new Map(layers.flatMap((layer) => [...layer]))
  const compiled = new Map<string, Handlebars.TemplateDelegate>()
  for (const [path, file] of files) {
    const name = /^(.+)\.hbs$/.exec(path)?.[1]
    if (name === undefined) continue
    // Text mails are text/plain: entities would be shown as such. Everything else is escaped, without exception.
    const noEscape = name.endsWith('.text')
    try {
      const source: unknown = handlebars.precompile(file.body.toString('utf8'), {
        strict: true,
        knownHelpers,
        knownHelpersOnly: true,
        preventIndent: true,
        noEscape,
      })
      if (typeof source !== 'string') throw new TypeError('not compiled')
      const script = new Script(`(${source})`, { filename: file.path })
      compiled.set(name, handlebars.template(script.runInThisContext()))
    } catch (error) {
      throw new Error(`${file.path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  for (const [name, template] of compiled) handlebars.registerPartial(name, template)
  return {
    has: (name) => compiled.has(name),
    render: (name, context) => {
      const template = compiled.get(name)
      if (!template) throw new Error(`no view "${name}"`)
      return template(context)
    },
  }
}
