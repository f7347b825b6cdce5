// The values that the views of mails read. A value is one line: nothing that a user chose may start another (ASVS 1.3.11).
import type { Texts } from './i18n.ts'
import { userAgent } from './user-agent.ts'
import { moment } from './wording.ts'

export type MailValues = Readonly<Record<string, string | number>>

/** Control characters and line separators become spaces: no extra header, no forged line. */
export const oneLine = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()

/** One registered thing: `method<TAB>hint`, its name in the reader's language, or a line of text. */
function thing(texts: Texts, language: string, line: string): string {
  const [id = '', hint = ''] = line.split('\t', 2)
  const key = `method.${id}.name`
  const name = texts.has(language, key) ? texts.text(language, key) : oneLine(id)
  return hint === '' ? name : `${name} (${oneLine(hint)})`
}

/** Network address and "Firefox on Windows". What the header tells not is left out: nothing is made up. */
function place(texts: Texts, language: string, where: string): { address?: string; browser?: string } {
  const address = /^[\da-f.:]+(?:\/\d+)?(?=,|$)/i.exec(where)?.[0]
  const { browser, system } = userAgent(where)
  const both = browser && system ? texts.text(language, 'mail.browser', { browser, system }) : (browser ?? system)
  return { ...(address !== undefined && { address }), ...(both !== undefined && { browser: both }) }
}

/** One text of several, by what a value says: an unknown one has words as well. */
const chosen = (texts: Texts, language: string, prefix: string, value: unknown, suffix = ''): string => {
  const key = `${prefix}.${String(value)}${suffix}`
  return texts.has(language, key) ? key : `${prefix}.other${suffix}`
}

/** Texts that depend on what the mail is about, as keys. */
function variants(texts: Texts, language: string, template: string, { purpose, what, why }: MailValues) {
  const own = `mail.${template}`
  const told = template === 'notice' ? chosen(texts, language, own, what, '.subject').slice(0, -'.subject'.length) : own
  const notYou = `${own}.not-you.${String(purpose)}`
  return {
    purpose: chosen(texts, language, `${own}.purpose`, purpose),
    why: chosen(texts, language, `${own}.why`, why),
    lead: `${told}.lead`,
    notYou: texts.has(language, notYou) ? notYou : `${own}.not-you`,
    subject: `${told}.subject`,
  }
}

/**
 * `list` has several lines `method<TAB>hint`, `item` one; `when` is a time; `where` is an address and a `User-Agent`
 * header, "203.0.113.7, Mozilla/5.0 ..."; `purpose`, `what` and `why` choose between texts. The rest is text.
 */
export function mailContext(
  texts: Texts,
  language: string,
  template: string,
  values: MailValues,
): Record<string, unknown> {
  const lines = Object.entries(values).map(([name, value]) => [
    name,
    typeof value === 'string' ? oneLine(value) : value,
  ])
  const { subject, ...keys } = variants(texts, language, template, values)
  const context: Record<string, unknown> = { helpdesk: undefined, ...Object.fromEntries(lines), ...keys }
  const { list, item, when, where } = values
  if (typeof list === 'string')
    context['list'] = list
      .split('\n')
      .filter(Boolean)
      .map((line) => thing(texts, language, line))
  if (typeof item === 'string') context['item'] = thing(texts, language, item)
  if (typeof when === 'number') context['when'] = moment(language, when)
  if (typeof where === 'string') Object.assign(context, place(texts, language, where))
  context['subject'] = oneLine(texts.text(language, subject, context))
  return { ...context, language }
}
