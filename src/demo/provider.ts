// The shop's side of OpenID Connect: code with PKCE, state and nonce, each checked by openid-client when the answer comes.
import * as client from 'openid-client'

/** What the user wanted to do, and goes on with when the answer is there. */
export type Goal = 'sign-in' | 'checkout' | 'delivery-address' | 'change_password' | 'security_info_registration'

/** An authorization request that is under way: what its answer is checked against. */
export interface Pending {
  goal: Goal
  verifier: string
  state: string
  nonce: string
  /** Seconds; `auth_time` of the answer has to be as recent. */
  maxAge?: number
  /** Who wanted to: nothing is done for anybody else who comes back. */
  sub?: string
}

/** Who is signed in, as the provider said. */
export interface User {
  /** Of the ID token, which is about the sign-in. */
  claims: client.IDToken
  /** From the userinfo endpoint, which is about the person. */
  name?: string
  idToken: string
  accessToken: string
  refreshToken?: string
  refreshed: number
}

export interface ProviderOptions {
  issuer: string
  clientId: string
  redirectUri: () => string
  /** Where the provider sends the browser after a sign-out. */
  home: () => string
}

/** Parameters of one authorization request, such as `acr_values`, `max_age` or `prompt`. */
export type Asked = Readonly<Record<string, string>>

export interface Provider {
  configuration(): Promise<client.Configuration>
  /** Where to send the browser, and what to keep until it comes back. */
  begin(goal: Goal, asked?: Asked, sub?: string): Promise<{ address: URL; pending: Pending }>
  /** @throws {client.AuthorizationResponseError} when the provider answered with an error; others when the answer is not right. */
  finish(answer: URL, pending: Pending): Promise<User>
  /** @throws when there are no new tokens to be had. */
  refresh(user: User): Promise<User>
  signOut(user: User): Promise<URL>
}

export function createProvider({ issuer, clientId, redirectUri, home }: ProviderOptions): Provider {
  let known: Promise<client.Configuration> | undefined

  /** Asked at the first sign-in, so that this server may start before the provider. */
  const configuration = (): Promise<client.Configuration> => {
    known ??= client
      // http on this machine only; without `allowInsecureRequests` nothing but https is spoken.
      .discovery(new URL(issuer), clientId, undefined, client.None(), { execute: [client.allowInsecureRequests] })
      .catch((error: unknown) => {
        known = undefined
        throw error
      })
    return known
  }

  return {
    configuration,

    async begin(goal, asked = {}, sub) {
      const verifier = client.randomPKCECodeVerifier()
      const maxAge = asked['max_age']
      const pending: Pending = {
        goal,
        verifier,
        state: client.randomState(),
        nonce: client.randomNonce(),
        ...(maxAge !== undefined && { maxAge: Number(maxAge) }),
        ...(sub !== undefined && { sub }),
      }
      const address = client.buildAuthorizationUrl(await configuration(), {
        ...asked,
        redirect_uri: redirectUri(),
        scope: 'openid profile email groups',
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state: pending.state,
        nonce: pending.nonce,
      })
      return { address, pending }
    },

    async finish(answer, { verifier, state, nonce, maxAge }) {
      // Also checked in there: the issuer, in the answer (RFC 9207) and in the ID token, and that the token is for this client.
      const tokens = await client.authorizationCodeGrant(await configuration(), answer, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
        ...(maxAge !== undefined && { maxAge }),
      })
      const user = kept(tokens)
      const { name } = await client.fetchUserInfo(await configuration(), user.accessToken, user.claims.sub)
      return { ...user, ...(name !== undefined && { name }) }
    },

    async refresh(user) {
      if (user.refreshToken === undefined) throw new Error('there is no refresh token')
      return kept(await client.refreshTokenGrant(await configuration(), user.refreshToken), user)
    },

    signOut: async ({ idToken }) =>
      client.buildEndSessionUrl(await configuration(), { post_logout_redirect_uri: home(), id_token_hint: idToken }),
  }
}

/** A refresh need not bring a new ID token, nor a new refresh token. */
function kept(tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers, before?: User): User {
  const claims = tokens.claims() ?? before?.claims
  const idToken = tokens.id_token ?? before?.idToken
  const refreshToken = tokens.refresh_token ?? before?.refreshToken
  if (!claims || idToken === undefined) throw new Error('the provider sent no ID token')
  // OpenID Connect Core 12.2: a refreshed token is about the same person.
  if (before && before.claims.sub !== claims.sub) throw new Error('the refresh answered about somebody else')
  return {
    ...before,
    claims,
    idToken,
    accessToken: tokens.access_token,
    refreshed: before ? before.refreshed + 1 : 0,
    ...(refreshToken !== undefined && { refreshToken }),
  }
}
