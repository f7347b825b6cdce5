// The demonstration's relying party: signs in with code, PKCE, state and nonce, and shows what it was told.
import { randomBytes } from 'node:crypto'
import Koa from 'koa'
import * as client from 'openid-client'
import { listen, type Listening } from './listen.ts'
import type { Log } from './log.ts'
import { outcomePage, signedInPage, signedOutPage, stylesheet } from './relying-party-pages.ts'

export interface RelyingPartyOptions {
  issuer: string
  clientId: string
  host: string
  port: number
  log: Log
  /** Further parameters of the authorization request, such as `acr_values`. */
  parameters?: Readonly<Record<string, string>>
}

/** What this server remembers of one browser. */
interface Visit {
  pending?: { verifier: string; state: string; nonce: string }
  tokens?: { claims: client.IDToken; idToken: string; refreshToken?: string; refreshed: number; name?: string }
}

const COOKIE = 'rp_session'
const VISITS = 1000

export const callbackPath = '/callback'

/** @throws {CannotStart} */
export async function startRelyingParty(options: RelyingPartyOptions): Promise<Listening & { url: string }> {
  const { issuer, clientId, host, log } = options
  const visits = new Map<string, Visit>()
  let known: Promise<client.Configuration> | undefined

  /** Asked at the first sign-in, so that this server may start before the provider. */
  const provider = (): Promise<client.Configuration> => {
    known ??= client
      .discovery(new URL(issuer), clientId, undefined, client.None(), { execute: [client.allowInsecureRequests] })
      .catch((error: unknown) => {
        known = undefined
        throw error
      })
    return known
  }

  function visitOf(ctx: Koa.Context): Visit {
    const id = ctx.cookies.get(COOKIE)
    const visit = id === undefined ? undefined : visits.get(id)
    return visit ?? renew(ctx, {})
  }

  /** A new id for a new state of affairs: nobody can have planted it (session fixation). */
  function renew(ctx: Koa.Context, visit: Visit): Visit {
    visits.delete(ctx.cookies.get(COOKIE) ?? '')
    const id = randomBytes(24).toString('base64url')
    visits.set(id, visit)
    const [oldest] = visits.keys()
    if (visits.size > VISITS && oldest !== undefined) visits.delete(oldest)
    ctx.cookies.set(COOKIE, id, { httpOnly: true, sameSite: 'lax', overwrite: true })
    return visit
  }

  async function signIn(ctx: Koa.Context): Promise<void> {
    const configuration = await provider()
    const verifier = client.randomPKCECodeVerifier()
    const pending = { verifier, state: client.randomState(), nonce: client.randomNonce() }
    visitOf(ctx).pending = pending
    const address = client.buildAuthorizationUrl(configuration, {
      redirect_uri: `${url()}${callbackPath}`,
      scope: 'openid profile email groups',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state: pending.state,
      nonce: pending.nonce,
      ...options.parameters,
    })
    ctx.redirect(address.href)
    ctx.status = 303
  }

  async function callback(ctx: Koa.Context): Promise<void> {
    const { pending } = visitOf(ctx)
    if (!pending) {
      show(
        ctx,
        400,
        outcomePage('There is no sign-in to finish here.', 'It was finished already, or begun in another browser.'),
      )
      return
    }
    delete visitOf(ctx).pending
    try {
      const tokens = await client.authorizationCodeGrant(await provider(), new URL(`${url()}${ctx.url}`), {
        pkceCodeVerifier: pending.verifier,
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        idTokenExpected: true,
      })
      const found = kept(tokens, 0)
      const user = await client.fetchUserInfo(await provider(), tokens.access_token, found.claims.sub)
      renew(ctx, { tokens: { ...found, ...(user.name !== undefined && { name: user.name }) } })
    } catch (error) {
      const { title, text } = told(error)
      log.info({ err: error }, 'the sign-in did not succeed')
      show(ctx, 400, outcomePage(title, text))
      return
    }
    back(ctx)
  }

  async function refresh(ctx: Koa.Context): Promise<void> {
    const visit = visitOf(ctx)
    const { tokens } = visit
    if (!tokens?.refreshToken) return back(ctx)
    try {
      const fresh = await client.refreshTokenGrant(await provider(), tokens.refreshToken)
      visit.tokens = { ...tokens, ...kept(fresh, tokens.refreshed + 1, tokens) }
      back(ctx)
    } catch (error) {
      log.info({ err: error }, 'the refresh did not succeed')
      renew(ctx, {})
      show(ctx, 400, outcomePage('The provider gave no new tokens.', 'The sign-in has ended there. Sign in again.'))
    }
  }

  async function signOut(ctx: Koa.Context): Promise<void> {
    const idToken = visitOf(ctx).tokens?.idToken
    renew(ctx, {})
    if (idToken === undefined) return back(ctx)
    const address = client.buildEndSessionUrl(await provider(), {
      post_logout_redirect_uri: `${url()}/`,
      id_token_hint: idToken,
    })
    ctx.redirect(address.href)
    ctx.status = 303
  }

  function show(ctx: Koa.Context, status: number, page: string): void {
    ctx.status = status
    ctx.type = 'html'
    ctx.body = page
  }

  function back(ctx: Koa.Context): void {
    ctx.redirect('/')
    ctx.status = 303
  }

  const routes: Record<string, (ctx: Koa.Context) => Promise<void> | void> = {
    'GET /': (ctx) => {
      const { tokens } = visitOf(ctx)
      show(ctx, 200, tokens ? signedInPage(tokens) : signedOutPage(issuer))
    },
    'GET /style.css': (ctx) => {
      ctx.type = 'css'
      ctx.body = stylesheet
    },
    'GET /sign-in': signIn,
    [`GET ${callbackPath}`]: callback,
    'POST /refresh': refresh,
    'POST /sign-out': signOut,
  }

  const app = new Koa()
  app.on('error', (error: unknown) => log.error({ err: error }, 'the relying party failed'))
  app.use(async (ctx) => {
    ctx.set({
      'Cache-Control': 'no-store',
      // Signing out is a form that ends at the provider, so the form may lead there.
      'Content-Security-Policy': `default-src 'none'; style-src 'self'; form-action 'self' ${new URL(issuer).origin}; base-uri 'none'; frame-ancestors 'none'`,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    })
    const route = routes[`${ctx.method === 'HEAD' ? 'GET' : ctx.method} ${ctx.path}`]
    if (!route) return show(ctx, 404, outcomePage('There is no such page.', ''))
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

type Tokens = client.TokenEndpointResponse & client.TokenEndpointResponseHelpers

/** A refresh need not bring a new ID token, nor a new refresh token. */
function kept(tokens: Tokens, refreshed: number, before?: Visit['tokens']): NonNullable<Visit['tokens']> {
  const claims = tokens.claims() ?? before?.claims
  const idToken = tokens.id_token ?? before?.idToken
  const refreshToken = tokens.refresh_token ?? before?.refreshToken
  if (!claims || idToken === undefined) throw new Error('the provider sent no ID token')
  return { claims, idToken, refreshed, ...(refreshToken !== undefined && { refreshToken }) }
}

function told(error: unknown): { title: string; text: string } {
  if (error instanceof client.AuthorizationResponseError) {
    const title = error.error === 'access_denied' ? 'The sign-in was cancelled.' : 'The provider did not sign you in.'
    return { title, text: `It answered ${error.error}${error.error_description ? `: ${error.error_description}` : ''}` }
  }
  return { title: 'The sign-in did not succeed.', text: 'What came back did not fit what was asked for.' }
}
