// The door: security headers on everything, the origin of every form, and the source address as far as it can be trusted.
import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Context } from 'koa'

/**
 * `form-action` is checked by browsers along the whole chain of redirects that a form starts, so pages that end at a
 * relying party must name its origin; the provider's own pages (form_post, logout) leave it open.
 */
export const contentSecurityPolicy = (formAction?: readonly string[]): string =>
  [
    "default-src 'none'",
    "style-src 'self'",
    // Named so that the provider can add the digest of the script of its self-submitting page.
    "script-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
    ...(formAction ? [`form-action ${["'self'", ...formAction].join(' ')}`] : []),
  ].join('; ')

/** Where a redirect address leads, as a source expression; a native app's own scheme counts as a whole. */
export function sourceOf(address: unknown): string[] {
  if (typeof address !== 'string' || !URL.canParse(address)) return []
  const url = new URL(address)
  return [url.origin === 'null' ? url.protocol : url.origin].filter((source) => /^[\w.:/[\]-]+$/.test(source))
}

const YEAR = 365 * 24 * 3600

export function secure(ctx: Context, https: boolean): void {
  ctx.set('Content-Security-Policy', contentSecurityPolicy())
  ctx.set('X-Content-Type-Options', 'nosniff')
  ctx.set('X-Frame-Options', 'DENY')
  // `no-referrer` would make browsers post `Origin: null`, and the origin of forms could not be checked.
  ctx.set('Referrer-Policy', 'same-origin')
  ctx.set('Cross-Origin-Opener-Policy', 'same-origin')
  if (https) ctx.set('Strict-Transport-Security', `max-age=${YEAR}; includeSubDomains`)
}

/** A form comes from one of our own pages, or it is refused; the token in the form is the second half (WB-1). */
export function foreign(request: IncomingMessage, origin: string): boolean {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  const from = request.headers.origin
  return from !== undefined && from !== origin
}

/** The first four groups: one customer holds a whole /64, so it counts as one source. */
function network(address: string): string {
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const end = tail === '' ? [] : tail.split(':')
    while (groups.length + end.length < 8) groups.push('0')
    groups.push(...end)
  }
  const first = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''))
  return `${first.join(':')}::/64`
}

/**
 * The source address for limits and the audit trail. `hops` proxies of ours stand in front: each adds one entry at the
 * right of X-Forwarded-For, and everything further left was written by the client (TH-6).
 */
export function sourceAddress(request: IncomingMessage, hops: number): string {
  const chain = [
    ...String(request.headers['x-forwarded-for'] ?? '')
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ''),
    request.socket.remoteAddress ?? '',
  ]
  const address = (chain.at(-1 - hops) ?? chain[0] ?? '').replace(/^::ffff:/i, '').replace(/%.*$/, '')
  return isIPv6(address) ? network(address) : address.slice(0, 64)
}
