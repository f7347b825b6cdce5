// Before everything else: only requests that were meant for the issuer, and what supervisors ask.
import type { Middleware } from 'koa'

/** Without the port that its scheme implies. */
const hostOf = (protocol: string, host: string): string | undefined =>
  /^[^\s/?#@\\]+$/.test(host) ? URL.parse(`${protocol}//${host}`)?.host : undefined

/** RFC 9110 15.5.20. Links and cookies are made for the issuer's host, so no other one is served (DNS rebinding too). */
export function issuerHostOnly(issuer: string, hops: number): Middleware {
  const { protocol, host } = new URL(issuer)
  return async (ctx, next) => {
    const forwarded = hops > 0 ? ctx.get('x-forwarded-host') : ''
    // Every one of several: which of them somebody behind this door would believe is not to be guessed.
    const asked = (forwarded || ctx.get('host')).split(',').map((name) => hostOf(protocol, name.trim()))
    if (asked.every((name) => name === host)) {
      await next()
      return
    }
    ctx.status = 421
    ctx.type = 'text'
    ctx.set('Cache-Control', 'no-store')
    ctx.body = `This server answers for ${issuer} only. Reference: ${ctx.state['reference']}\n`
  }
}

export interface Health {
  ready: () => Promise<{ ok: boolean }>
  stopping: () => boolean
}

const PATIENCE = 3000

/** `/healthz`: the process lives. `/readyz`: it can serve. Asked by address, so they stand before the host check. */
export function health({ ready, stopping }: Health): Middleware {
  return async (ctx, next) => {
    const readiness = ctx.path === '/readyz'
    if (!readiness && ctx.path !== '/healthz') {
      await next()
      return
    }
    ctx.set('Cache-Control', 'no-store')
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.status = 405
      ctx.set('Allow', 'GET, HEAD')
      return
    }
    const answer = readiness ? await within(ready()) : { ok: true }
    const ok = answer.ok && !stopping()
    ctx.status = ok || !readiness ? 200 : 503
    ctx.body = readiness ? { ...answer, ok } : { ok: true }
  }
}

async function within(asked: Promise<{ ok: boolean }>): Promise<{ ok: boolean }> {
  const { promise: late, resolve } = Promise.withResolvers<{ ok: boolean }>()
  const timer = setTimeout(() => resolve({ ok: false }), PATIENCE)
  try {
    return await Promise.race([asked, late])
  } catch {
    return { ok: false }
  } finally {
    clearTimeout(timer)
  }
}
