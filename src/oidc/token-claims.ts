// `acr`, `amr` and `auth_time` in access tokens and introspection (RFC 9068 2.2.1, RFC 9470 section 6), through every refresh.
import type { Configuration } from 'oidc-provider'

type ExtraTokenClaims = NonNullable<Configuration['extraTokenClaims']>

/** Of the sign-in that the token comes from, never of the session as it is by now (EN-13). A host's own claims stay. */
export const tokenClaims =
  (host: ExtraTokenClaims | undefined): ExtraTokenClaims =>
  async (ctx, token) => {
    const { AuthorizationCode, RefreshToken, DeviceCode } = ctx.oidc.entities
    const source = AuthorizationCode ?? RefreshToken ?? DeviceCode
    const { acr, amr, authTime } = source ?? {}
    return {
      ...(await host?.(ctx, token)),
      ...(acr !== undefined && { acr }),
      ...(amr !== undefined && { amr }),
      ...(authTime !== undefined && { auth_time: authTime }),
    }
  }
