// What surrounds every request of the provider, ours and its own: headers, the policy of the moment, faults made readable.
import type { Context, Next } from 'koa'
import { Unavailable } from '../domain/problems.ts'
import type { Scope } from '../oidc/scope.ts'
import { secure } from './guard.ts'
import { type Dress, referenceOf, showProblem } from './respond.ts'

export interface Surrounding {
  dress: Dress
  https: boolean
  scope: Scope
  /** Looks whether policy was edited; never rejects. */
  refreshPolicy(): Promise<void>
  reference(): string
  log: { error(facts: object, text: string): void }
}

interface State {
  reference?: string
  /** What the provider met on its way, kept by its `server_error` event. */
  fault?: unknown
}

/** The first middleware. Faults of the store are 503 wherever they surface; the cause goes to the log, never to the page. */
export const surround =
  ({ dress, https, scope, refreshPolicy, reference, log }: Surrounding) =>
  (ctx: Context, next: Next): Promise<void> =>
    scope.run(async () => {
      const state = ctx.state as State
      state.reference ??= reference()
      secure(ctx, https)
      await refreshPolicy()
      try {
        await next()
      } catch (error) {
        state.fault = error
      }
      const { fault } = state
      if (fault === undefined) return
      log.error(
        { err: fault, reference: state.reference, path: ctx.path.replace(/[\w-]{20,}/g, '…') },
        'a request failed',
      )
      const unavailable = fault instanceof Unavailable
      const code = unavailable ? fault.code : 'internal'
      ctx.remove('Location')
      ctx.body = null
      if (ctx.accepts('json', 'html') === 'html') showProblem(ctx, dress, code)
      else {
        ctx.status = unavailable ? 503 : 500
        const description = unavailable ? 'temporarily unavailable' : 'something went wrong'
        ctx.body = {
          error: unavailable ? 'temporarily_unavailable' : 'server_error',
          error_description: `${description}, reference ${referenceOf(ctx)}`,
        }
      }
      if (unavailable) ctx.set('Retry-After', String(fault.retryAfter))
    })

/** To be called by the provider's `server_error` event, which comes before its response is complete. */
export const keepFault = (ctx: { state: object }, error: unknown): void => {
  Object.assign(ctx.state, { fault: error } satisfies State)
}
