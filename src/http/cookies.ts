// The two cookies of ours beside the provider's: the known browser, and the language that was chosen.
import type { Context } from 'koa'
import type { Account } from '../domain/types.ts'

const YEAR = 365 * 24 * 3600 * 1000

export interface Jar {
  /** The browser's id for this account, when its cookie is genuine, of this epoch, and not pushed out by ten newer ones. */
  knownBrowser(ctx: Context, account: Account): string | undefined
  remember(ctx: Context, browser: { accountId: string; epoch: number; browser: string }): void
  language(ctx: Context): string | undefined
  setLanguage(ctx: Context, tag: string): void
}

/** Koa's own reader keeps a pattern for every name it was ever asked for, and these names are as many as accounts. */
function sent(ctx: Context, name: string): string | undefined {
  const pairs = ctx.get('cookie').split(';')
  return pairs
    .find((pair) => pair.trimStart().startsWith(`${name}=`))
    ?.trim()
    .slice(name.length + 1)
}

/** `sign`: a keyed digest, `genuine`: its comparison in constant time; `path`: where the provider is mounted. */
export function jar(options: {
  sign(text: string, context: string): string
  genuine(text: string, signature: string, context: string): boolean
  https: boolean
  path: string
}): Jar {
  const { sign, genuine, https, path } = options
  // __Host- forbids a path other than /, and keeps a sibling domain from planting the cookie (WB-6).
  const prefix = https && path === '/' ? '__Host-' : https ? '__Secure-' : ''
  const base = { httpOnly: true, sameSite: 'lax', secure: https, path, signed: false, overwrite: true } as const
  const set = (ctx: Context, name: string, value: string): void => {
    // TLS may end at a proxy: the flag follows the issuer, not the socket.
    ctx.cookies.secure = https
    ctx.cookies.set(name, value, { ...base, maxAge: YEAR })
  }
  const nameOf = (accountId: string): string =>
    `${prefix}known-${sign(accountId, 'browser-name')
      .slice(-12)
      .replace(/[^\w-]/g, '')}`
  const about = (accountId: string, epoch: number, browser: string): string => `${accountId}:${epoch}:${browser}`
  return {
    knownBrowser(ctx, account) {
      const [browser = '', ...signature] = (sent(ctx, nameOf(account.id)) ?? '').split('.')
      if (!account.browsers.includes(browser)) return undefined
      const text = about(account.id, account.epoch, browser)
      return genuine(text, signature.join('.'), 'browser') ? browser : undefined
    },
    remember: (ctx, { accountId, epoch, browser }) =>
      set(ctx, nameOf(accountId), `${browser}.${sign(about(accountId, epoch, browser), 'browser')}`),
    language: (ctx) => ctx.cookies.get(`${prefix}language`, { signed: false }),
    setLanguage: (ctx, tag) => set(ctx, `${prefix}language`, tag),
  }
}
