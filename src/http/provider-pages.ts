// The pages that the provider itself has to show: errors, signing out, device codes; in our dress.
import type { Context } from 'koa'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { Unavailable } from '../domain/problems.ts'
import type { ProviderPages } from '../oidc/configure.ts'
import { sessionLost } from '../oidc/interaction.ts'
import { type Dress, showPage, showProblem } from './respond.ts'

const koa = (ctx: KoaContextWithOIDC): Context => ctx

/** The provider's own names for what is wrong with a device's code. */
const deviceProblem = (error: Error & { userCode?: string | undefined }): 'wrong' | 'aborted' | 'failed' => {
  if (error.name === 'AbortedError') return 'aborted'
  return error.userCode !== undefined || error.name === 'NoCodeError' ? 'wrong' : 'failed'
}

export function providerPages(dress: Dress): ProviderPages {
  const message = (
    ctx: KoaContextWithOIDC,
    name: 'signed-out' | 'sign-out' | 'device-code' | 'device-confirm' | 'device-done',
    model: Record<string, unknown> = {},
    leadsTo: readonly unknown[] = [],
  ): void => {
    const { status } = ctx
    showPage(koa(ctx), dress, { page: { name: 'message', message: name, model }, cancel: false }, { leadsTo })
    if (status >= 400 && status !== 404) ctx.status = status
  }
  return {
    renderError(ctx, out, error) {
      if (error instanceof Unavailable) return showProblem(koa(ctx), dress, error.code)
      if (sessionLost(error)) return showProblem(koa(ctx), dress, 'interaction_over')
      const status = ctx.status
      if (status === 404) return showProblem(koa(ctx), dress, 'not_found')
      if (out.error === 'server_error') return showProblem(koa(ctx), dress, 'internal')
      const detail = [out.error, out.error_description].filter((text) => typeof text === 'string').join(': ')
      showPage(koa(ctx), dress, { error: 'authorization_request', detail: detail.slice(0, 500) })
      ctx.status = status
      return undefined
    },
    logoutSource(ctx, form) {
      const state = ctx.oidc.session?.state as { postLogoutRedirectUri?: string } | undefined
      message(ctx, 'sign-out', { form }, [state?.postLogoutRedirectUri])
    },
    postLogoutSuccessSource: (ctx) => message(ctx, 'signed-out'),
    userCodeInputSource: (ctx, form, _out, error) =>
      message(ctx, 'device-code', { form, ...(error && { error: deviceProblem(error) }) }),
    userCodeConfirmSource: (ctx, form, client, _device, code) =>
      message(ctx, 'device-confirm', { form, client: client.clientName ?? client.clientId, code }),
    deviceSuccessSource: (ctx) => message(ctx, 'device-done'),
  }
}
