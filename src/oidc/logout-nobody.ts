// Signing out where nobody is signed in: there is nothing to ask and nothing to end, so the browser goes on at once.
import type { Context, Next } from 'koa'
import type { KoaContextWithOIDC } from 'oidc-provider'

/**
 * The provider answers with a form that posts itself, for which a browser without scripts needs a click on a page that is
 * not ours. It has checked by now that the address is one of the client's (RP-Initiated Logout 1.0 section 3).
 */
export async function nothingToEnd(ctx: Context, next: Next): Promise<void> {
  await next()
  const { oidc } = ctx as Context & { oidc?: KoaContextWithOIDC['oidc'] }
  if (oidc?.route !== 'end_session' || ctx.status !== 200 || oidc.session === undefined) return
  if (oidc.session.accountId !== undefined) return
  const { post_logout_redirect_uri: address, state } = oidc.params ?? {}
  const target = new URL(typeof address === 'string' ? address : oidc.urlFor('end_session_success'))
  if (typeof address === 'string' && typeof state === 'string') target.searchParams.set('state', state)
  ctx.redirect(target.href)
  ctx.status = 303
}
