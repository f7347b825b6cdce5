// The few values that are more than text: links, drawings of ours, and forms that the provider makes.

/** What a browser skips in front of and inside an address must not hide the scheme from us (WHATWG URL 4.4). */
const plain = (link: string): string =>
  Array.from(link)
    .filter((character) => character > ' ' && character !== '\u007f')
    .join('')

const schemeOf = (link: string): string | undefined => /^([a-z][a-z0-9+.-]*):/i.exec(link)?.[1]?.toLowerCase()

const shown = new Set(['http', 'https', 'mailto', 'tel', 'otpauth'])
const running = new Set(['javascript', 'data', 'vbscript', 'blob', 'file', 'view-source'])

/** A link that a page may show, or nothing when its scheme is not one of the few that lead somewhere harmless. */
export function safeLink(link: string): string | undefined {
  const address = plain(link)
  const scheme = schemeOf(address)
  if (scheme === undefined) return /^[/\\]{2}/.test(address) ? undefined : address
  return shown.has(scheme) ? address : undefined
}

/** Where a flow goes on: also the private-use schemes of native applications (RFC 8252 7.1), never one that runs here. */
export function safeReturn(link: string): string | undefined {
  const address = plain(link)
  const scheme = schemeOf(address)
  if (scheme === undefined) return safeLink(link)
  return running.has(scheme) ? undefined : address
}

const shape = '(?:rect|path|g|circle)'
const attributes = '(?: [a-zA-Z:-]+="[^"<>]*")*'
const drawing = new RegExp(`^<svg${attributes}>(?:<${shape}${attributes} ?/?>|</${shape}>|\\s)*</svg>$`)
const active = / (?:on[a-z]+|style|href|xlink:href|id|class)=/i

/** A drawing made of shapes alone; anything else is refused: no script, no style, no link. */
export function safeDrawing(svg: string): string {
  if (!drawing.test(svg) || active.test(svg)) throw new Error('a drawing may hold shapes only')
  return svg
}

export interface ProviderForm {
  action: string
  fields: readonly { name: string; value: string }[]
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
const unescape = (text: string): string => text.replace(/&(#?\w+);/g, (whole, name: string) => entities[name] ?? whole)

/** Reads the provider's own form (logout, device code), so that ours is drawn in its place and no foreign mark-up is shown. */
export function readProviderForm(html: string): ProviderForm {
  const action = /<form[^>]*\saction="([^"]*)"/.exec(html)?.[1]
  if (action === undefined) throw new Error('the provider made no form')
  const fields = [...html.matchAll(/<input\b[^>]*>/g)].map(([tag]) => ({
    name: /\sname="([^"]*)"/.exec(tag)?.[1] ?? '',
    value: unescape(/\svalue="([^"]*)"/.exec(tag)?.[1] ?? ''),
  }))
  return { action, fields: fields.filter((field) => field.name !== '') }
}
