// The shop's API, an example of a resource server: it asks the provider about each access token, and says what a token lacks (RFC 9470).
import { randomInt } from 'node:crypto'
import Koa from 'koa'
import * as client from 'openid-client'
import { acr } from '../flows/finish.ts'
import { listen, type Listening } from '../server/listen.ts'
import type { Log } from '../server/log.ts'

export interface ResourceServerOptions {
  issuer: string
  /** Introspection is for confidential clients: whoever may ask about tokens has to say who it is (RFC 7662 section 2.1). */
  clientId: string
  clientSecret: string
  /** Whose tokens are meant for this API. */
  audience: readonly string[]
  host: string
  port: number
  log: Log
  /** Milliseconds since 1970. */
  now?: () => number
}

/** What an operation asks of the sign-in that its token came from. */
interface Rule {
  acr: string
  /** Seconds since the password was proven. */
  maxAge?: number
}

const rules: Readonly<Record<string, Rule>> = {
  'POST /checkout': { acr: acr.multiFactor },
  // Where parcels go is worth a fresh proof, even in a session that was strong enough yesterday.
  'POST /delivery-address': { acr: acr.multiFactor, maxAge: 300 },
}

/** What the API answers with when it did what was asked. */
export interface Receipt {
  order: string
  /** What introspection said of the token. */
  token: Readonly<Record<string, unknown>>
}

const REALM = 'realm="shop"'

/** RFC 9470 section 3: everything that a new authorization request has to ask for. */
const insufficient = (rule: Rule): string =>
  [
    `Bearer ${REALM}`,
    'error="insufficient_user_authentication"',
    'error_description="This operation asks for a stronger or more recent sign-in"',
    `acr_values="${rule.acr}"`,
    ...(rule.maxAge === undefined ? [] : [`max_age="${rule.maxAge}"`]),
  ].join(', ')

function meets(rule: Rule, token: client.IntrospectionResponse, now: number): boolean {
  const { acr: shown, auth_time: at } = token
  if (shown !== rule.acr) return false
  return rule.maxAge === undefined || (typeof at === 'number' && now / 1000 - at <= rule.maxAge)
}

/** @throws {CannotStart} */
export async function startResourceServer(options: ResourceServerOptions): Promise<Listening & { url: string }> {
  const { issuer, clientId, clientSecret, audience, host, log, now = Date.now } = options
  let known: Promise<client.Configuration> | undefined

  /** Asked at the first request, so that this server may start before the provider. */
  const provider = (): Promise<client.Configuration> => {
    known ??= client
      .discovery(new URL(issuer), clientId, undefined, client.ClientSecretBasic(clientSecret), {
        // For http on this machine only; without it nothing but https is spoken.
        execute: [client.allowInsecureRequests],
      })
      .catch((error: unknown) => {
        known = undefined
        throw error
      })
    return known
  }

  function refuse(ctx: Koa.Context, challenge: string): void {
    ctx.status = 401
    ctx.set('WWW-Authenticate', challenge)
  }

  const app = new Koa()
  app.on('error', (error: unknown) => log.error({ err: error }, 'the API failed'))
  app.use(async (ctx) => {
    ctx.set('Cache-Control', 'no-store')
    const rule = rules[`${ctx.method} ${ctx.path}`]
    if (!rule) return
    const bearer = /^Bearer ([\w.~+/-]+=*)$/i.exec(ctx.get('Authorization'))?.[1]
    // Without a token there is nothing wrong with it either: no error code (RFC 6750 section 3.1).
    if (bearer === undefined) return refuse(ctx, `Bearer ${REALM}`)
    let token: client.IntrospectionResponse
    try {
      token = await client.tokenIntrospection(await provider(), bearer, { token_type_hint: 'access_token' })
    } catch (error) {
      log.error({ err: error }, 'the provider could not be asked about a token')
      ctx.status = 503
      return
    }
    // A refresh token is no access token, and one that was issued to another application is not meant for this API.
    if (!token.active || token.token_type !== 'Bearer' || !audience.includes(token.client_id ?? '')) {
      return refuse(
        ctx,
        `Bearer ${REALM}, error="invalid_token", error_description="The access token is not good here"`,
      )
    }
    if (!meets(rule, token, now())) return refuse(ctx, insufficient(rule))
    const { sub, client_id, acr: shown, amr, auth_time } = token
    ctx.body = {
      order: `A-${randomInt(1000, 10_000)}`,
      token: { acr: shown, amr, auth_time, sub, client_id },
    } satisfies Receipt
  })

  const handle = app.callback()
  const server = await listen((request, response) => void handle(request, response), { host, port: options.port })
  return { ...server, url: `http://${host}:${server.port}` }
}
