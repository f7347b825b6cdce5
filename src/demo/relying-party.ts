// The demonstration's relying party: a shop that signs users in, steps up at checkout, and sends them to change what the provider keeps.
import Koa from 'koa'
import * as client from 'openid-client'
import { listen, type Listening } from '../server/listen.ts'
import type { Log } from '../server/log.ts'
import { LogoutTokenRefused, providerKeys, verifyLogoutToken } from './logout-token.ts'
import { callApi } from './api.ts'
import { cancelled, failed, returned } from './notices.ts'
import { outcomePage, signedInPage, signedOutPage } from './pages.ts'
import { type Asked, createProvider, type Goal, type User } from './provider.ts'
import { stylesheet } from './style.ts'
import { createVisits, type Visit } from './visits.ts'

export interface RelyingPartyOptions {
  issuer: string
  clientId: string
  host: string
  port: number
  /** Address of the shop's API. */
  api: string
  log: Log
}

export const callbackPath = '/callback'
export const logoutPath = '/backchannel-logout'

/** Operations of the API, each a button of the shop. */
type Operation = Extract<Goal, 'checkout' | 'delivery-address'>
const isOperation = (goal: Goal): goal is Operation => goal === 'checkout' || goal === 'delivery-address'

/** More than any logout token has. */
const BODY = 16_384

/** @throws {CannotStart} */
export async function startRelyingParty(options: RelyingPartyOptions): Promise<Listening & { url: string }> {
  const { issuer, clientId, host, api, log } = options
  const visits = createVisits()
  const provider = createProvider({
    issuer,
    clientId,
    redirectUri: () => `${url()}${callbackPath}`,
    home: () => `${url()}/`,
  })
  const key = providerKeys(async () => (await provider.configuration()).serverMetadata().jwks_uri ?? '', Date.now)

  function show(ctx: Koa.Context, status: number, page: string): void {
    ctx.status = status
    ctx.type = 'html'
    ctx.body = page
  }

  function go(ctx: Koa.Context, address: string): void {
    ctx.redirect(address)
    ctx.status = 303
  }

  async function toProvider(ctx: Koa.Context, visit: Visit, goal: Goal, asked?: Asked): Promise<void> {
    const { address, pending } = await provider.begin(goal, asked, visit.user?.claims.sub)
    visit.pending = pending
    go(ctx, address.href)
  }

  /** `before`: the answer to a request that the API asked for. What it then still refuses ends here, instead of going round. */
  async function operate(ctx: Koa.Context, visit: Visit, goal: Operation, before = false): Promise<void> {
    if (!visit.user) return go(ctx, '/')
    const answer = await callApi(await provider.configuration(), visit.user.accessToken, new URL(goal, `${api}/`))
    if ('ask' in answer) {
      if (!before) return toProvider(ctx, visit, goal, answer.ask)
      visit.notice = { outcome: 'refused', text: 'The shop’s API still asks for a stronger sign-in. Nothing was done.' }
    } else {
      const { order } = answer.receipt
      const done = goal === 'checkout' ? `Order ${order} is placed.` : 'Your parcels go to the new address.'
      visit.notice = { outcome: goal, text: done, receipt: answer.receipt }
    }
    go(ctx, '/')
  }

  async function callback(ctx: Koa.Context): Promise<void> {
    const visit = visits.of(ctx)
    const { pending, user: before } = visit
    if (!pending) {
      const page = outcomePage('There is no sign-in to finish here.', 'It was finished already, or begun elsewhere.')
      return show(ctx, 400, page)
    }
    // One answer to one request, whatever it is.
    delete visit.pending
    let user: User
    try {
      user = await provider.finish(new URL(`${url()}${ctx.url}`), pending)
    } catch (error) {
      log.info({ err: error }, 'the provider signed nobody in')
      if (before && error instanceof client.AuthorizationResponseError) {
        visit.notice = cancelled(pending.goal, error)
        return go(ctx, '/')
      }
      const { title, text } = failed(error)
      return show(ctx, 400, outcomePage(title, text))
    }
    const now = visits.renew(ctx, { user })
    if (pending.sub !== undefined && pending.sub !== user.claims.sub) {
      now.notice = {
        outcome: 'other-user',
        text: 'Somebody else signed in. Nothing was done for whoever was here before.',
      }
    } else if (isOperation(pending.goal)) {
      return operate(ctx, now, pending.goal, true)
    } else {
      const notice = returned(pending.goal, user.claims['action_status'])
      if (notice) now.notice = notice
    }
    go(ctx, '/')
  }

  async function refresh(ctx: Koa.Context): Promise<void> {
    const visit = visits.of(ctx)
    if (!visit.user?.refreshToken) return go(ctx, '/')
    try {
      visit.user = await provider.refresh(visit.user)
      go(ctx, '/')
    } catch (error) {
      log.info({ err: error }, 'the refresh did not succeed')
      visits.renew(ctx, {})
      show(ctx, 400, outcomePage('The provider gave no new tokens.', 'The sign-in has ended there. Sign in again.'))
    }
  }

  /** Here first: whatever happens at the provider, this browser is signed out of the shop. */
  async function signOut(ctx: Koa.Context): Promise<void> {
    const { user } = visits.of(ctx)
    visits.renew(ctx, {})
    go(ctx, user ? (await provider.signOut(user)).href : '/')
  }

  /** Called by the provider, not by a browser: no cookie, and the token says which session is meant. */
  async function loggedOut(ctx: Koa.Context): Promise<void> {
    try {
      let body = ''
      for await (const part of ctx.req)
        if ((body += String(part)).length > BODY) throw new LogoutTokenRefused('too long')
      const token = new URLSearchParams(body).get('logout_token') ?? ''
      const { sid, sub } = await verifyLogoutToken(token, { issuer, clientId, key, now: Date.now() })
      const ended = visits.end(
        ({ claims }) => (sid === undefined || claims['sid'] === sid) && (sub === undefined || claims.sub === sub),
        { outcome: 'signed-out-by-provider', text: 'You were signed out by the provider.' },
      )
      log.info({ ended }, 'the provider ended a session')
      ctx.status = 200
    } catch (error) {
      if (!(error instanceof LogoutTokenRefused)) throw error
      log.warn({ err: error }, 'a logout token was refused')
      ctx.status = 400
      ctx.body = { error: 'invalid_request', error_description: error.message }
    }
  }

  const routes: Record<string, (ctx: Koa.Context) => Promise<void> | void> = {
    'GET /': (ctx) => {
      const visit = visits.of(ctx)
      const { user, notice } = visit
      delete visit.notice
      show(ctx, 200, user ? signedInPage({ ...user, api }, notice) : signedOutPage(issuer, notice))
    },
    'GET /style.css': (ctx) => {
      ctx.type = 'css'
      ctx.body = stylesheet
    },
    'GET /sign-in': (ctx) => toProvider(ctx, visits.of(ctx), 'sign-in'),
    'GET /change-password': (ctx) => toProvider(ctx, visits.of(ctx), 'change_password', { prompt: 'change_password' }),
    'GET /security-info': (ctx) =>
      toProvider(ctx, visits.of(ctx), 'security_info_registration', { prompt: 'security_info_registration' }),
    [`GET ${callbackPath}`]: callback,
    'POST /checkout': (ctx) => operate(ctx, visits.of(ctx), 'checkout'),
    'POST /delivery-address': (ctx) => operate(ctx, visits.of(ctx), 'delivery-address'),
    'POST /refresh': refresh,
    'POST /sign-out': signOut,
    [`POST ${logoutPath}`]: loggedOut,
  }

  const app = new Koa()
  app.on('error', (error: unknown) => log.error({ err: error }, 'the relying party failed'))
  app.use(async (ctx) => {
    ctx.set({
      'Cache-Control': 'no-store',
      // Signing out and stepping up are forms that end at the provider, so a form may lead there.
      'Content-Security-Policy': `default-src 'none'; style-src 'self'; form-action 'self' ${new URL(issuer).origin}; base-uri 'none'; frame-ancestors 'none'`,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    })
    const route = routes[`${ctx.method === 'HEAD' ? 'GET' : ctx.method} ${ctx.path}`]
    if (!route) return show(ctx, 404, outcomePage('There is no such page.', ''))
    // Forms come from pages of this server; what another site made a browser send is not done (OWASP, fetch metadata).
    if (ctx.method === 'POST' && !['', 'same-origin'].includes(ctx.get('Sec-Fetch-Site'))) {
      return show(ctx, 403, outcomePage('This form is not from here.', 'Nothing was done.'))
    }
    try {
      await route(ctx)
    } catch (error) {
      log.error({ err: error }, 'the relying party failed')
      show(ctx, 502, outcomePage('The provider cannot be reached.', 'Try again in a moment.'))
    }
  })

  const handle = app.callback()
  const server = await listen((request, response) => void handle(request, response), {
    host,
    port: options.port,
    option: '--rp-port',
  })
  const url = (): string => `http://${host}:${server.port}`
  return { ...server, url: url() }
}
