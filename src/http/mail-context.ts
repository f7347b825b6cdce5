// The values that the views of mails read. A value is one line: nothing that a user chose may start another (ASVS 1.3.11).
import type { Texts } from './i18n.ts'
import { moment } from './wording.ts'

export type MailValues = Readonly<Record<string, string | number>>

/** Control characters and line separators become spaces: no extra header, no forged line. */
export const oneLine = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()

/** One registered thing: `method<TAB>hint`, its name in the reader's language, or a line of text. */
function item(texts: Texts, language: string, line: string): string {
  const [id = '', hint = ''] = line.split('\t', 2)
  const key = `method.${id}.name`
  const name = texts.has(language, key) ? texts.text(language, key) : oneLine(id)
  return hint === '' ? name : `${name} (${oneLine(hint)})`
}

/** `list` may have several lines; `when` is a time; `purpose` says what a code is for. The rest is text. */
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
  const context: Record<string, unknown> = { helpdesk: undefined, ...Object.fromEntries(lines) }
  const { list, when, purpose } = values
  if (typeof list === 'string')
    context['list'] = list
      .split('\n')
      .filter(Boolean)
      .map((line) => item(texts, language, line))
  if (typeof when === 'number') context['when'] = moment(language, when)
  const known = `mail.${template}.purpose.${String(purpose)}`
  context['purpose'] = texts.has(language, known) ? known : `mail.${template}.purpose.other`
  context['subject'] = oneLine(texts.text(language, `mail.${template}.subject`, context))
  return { ...context, language }
}
