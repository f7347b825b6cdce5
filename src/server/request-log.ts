// Gives every request its reference number and logs it in one line: no query, no body, no cookie, no id.
import type { Middleware } from 'koa'
import { referenceNumber } from '../domain/codes.ts'
import { realChance } from './chance.ts'
import type { Log } from './log.ts'

/** Only plain words of an address are kept: whatever could be an id or a code becomes `:id`. */
export const maskedPath = (path: string): string =>
  path
    .split('/')
    .map((part) => (/^[a-z._-]{0,40}$/.test(part) ? part : ':id'))
    .slice(0, 12)
    .join('/')

export const requestLog =
  (log: Log): Middleware =>
  async (ctx, next) => {
    const reference = referenceNumber(realChance)
    ctx.state['reference'] = reference
    const began = performance.now()
    const line = () => ({
      reference,
      method: ctx.method,
      path: maskedPath(ctx.path),
      status: ctx.status,
      ms: Math.round((performance.now() - began) * 10) / 10,
    })
    try {
      await next()
    } catch (error) {
      log.error({ ...line(), err: error }, 'a request failed')
      throw error
    }
    const probe = ctx.path === '/healthz' || ctx.path === '/readyz'
    log[probe ? 'debug' : 'info'](line(), 'request')
  }
