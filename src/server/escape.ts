// HTML of the demonstration's own few pages: a template in which every value is escaped.

/** Markup that may stand as it is. */
export interface Markup {
  readonly markup: string
}

const isMarkup = (value: unknown): value is Markup => typeof value === 'object' && value !== null && 'markup' in value

const signs: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

const written = (value: unknown): string => {
  if (isMarkup(value)) return value.markup
  if (Array.isArray(value)) return value.map(written).join('')
  return (typeof value === 'string' || typeof value === 'number' ? String(value) : '').replace(
    /[&<>"']/g,
    (sign) => signs[sign] ?? sign,
  )
}

export const html = (parts: TemplateStringsArray, ...values: unknown[]): Markup => ({
  markup: parts.map((part, index) => part + (index < values.length ? written(values[index]) : '')).join(''),
})
