// How long codes and signed tokens live, and what holds for relying parties without a secret, whatever the host set.
import type { Client, Configuration, KoaContextWithOIDC } from 'oidc-provider'

type Lifetimes = NonNullable<Configuration['ttl']>
type Lifetime<Kind extends 'AccessToken' | 'AuthorizationCode'> = Extract<
  Lifetimes[Kind],
  (...input: never[]) => number
>

/** Seconds (ASVS 10.4.3). */
export const CODE = 60
const HOUR = 3600
const SIGNED = 5 * 60_000

/** Nothing that reaches a relying party in an address is a token; a host that wants an ID token there says so. */
export const responseTypes: NonNullable<Configuration['responseTypes']> = ['code', 'none']

/** In seconds. `signedFor`: milliseconds; a signed access token cannot be taken back, whatever happens to its account. */
export function lifetimes(ttl: Lifetimes | undefined, signedFor: () => number | undefined) {
  const { AccessToken: access, AuthorizationCode: code } = ttl ?? {}
  const accessToken: Lifetime<'AccessToken'> = (ctx, token, client) => {
    const wanted = typeof access === 'function' ? access(ctx, token, client) : access
    const seconds = wanted ?? token.resourceServer?.accessTokenTTL ?? HOUR
    const signed = token.resourceServer?.accessTokenFormat === 'jwt'
    return signed ? Math.min(seconds, Math.floor((signedFor() ?? SIGNED) / 1000)) : seconds
  }
  const authorizationCode: Lifetime<'AuthorizationCode'> = (ctx, row, client) =>
    Math.min(CODE, typeof code === 'function' ? code(ctx, row, client) : (code ?? CODE))
  return { AccessToken: accessToken, AuthorizationCode: authorizationCode }
}

const FORTNIGHT = 14 * 24 * HOUR

/** In seconds. Whoever keeps no secret renews within the life of the first token, and does not slide on for ever (RFC 9700 4.14.2). */
export const refreshLifetime: Extract<Lifetimes['RefreshToken'], (...input: never[]) => number> = (
  ctx,
  token,
  client,
) => {
  const before = ctx.oidc.entities.RotatedRefreshToken
  return before && isPublic(client) && !token.isSenderConstrained() ? before.remainingTTL : FORTNIGHT
}

const isPublic = (client: Client | undefined): boolean => client?.clientAuthMethod === 'none'
const bound = (ctx: KoaContextWithOIDC): boolean => ctx.oidc.entities.RefreshToken?.isSenderConstrained() === true

/** What a host may loosen for a relying party that keeps a secret, never for one that cannot (RFC 9700 2.1.1 and 2.2.2). */
export function strictness(host: Configuration): Configuration {
  const { pkce, formats, rotateRefreshToken: rotate, revokeGrantPolicy: revokes } = host
  const customize = formats?.customizers?.jwt
  return {
    responseTypes: [...new Set([...(host.responseTypes ?? responseTypes), 'none' as const])],
    pkce: { required: (ctx, client) => isPublic(client) || (pkce?.required?.(ctx, client) ?? true) },
    ...(rotate !== undefined && {
      rotateRefreshToken: (ctx) =>
        (isPublic(ctx.oidc.client) && !bound(ctx)) || (typeof rotate === 'function' ? rotate(ctx) : rotate),
    }),
    // A code or refresh token that comes a second time ends its whole family (OI-5).
    ...(revokes && { revokeGrantPolicy: (ctx) => ctx.oidc.route === 'token' || revokes(ctx) }),
    // Whatever else it writes into a signed token, its end stays.
    ...(customize && {
      formats: {
        ...formats,
        customizers: {
          ...formats.customizers,
          async jwt(ctx, token, parts) {
            const { exp } = parts.payload
            await customize(ctx, token, parts)
            parts.payload['exp'] = exp
          },
        },
      },
    }),
  }
}
