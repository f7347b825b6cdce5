// Who says that a session has ended, and which one: logout tokens of OpenID Connect Back-Channel Logout 1.0, as a relying party checks them.
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** Seconds that clocks may differ. */
const SKEW = 60

export interface Ended {
  /** One session; without it, all of the person named by `sub`. */
  sid?: string
  sub?: string
}

export interface Expected {
  issuer: string
  clientId: string
  /** The provider's public key of that id. */
  key(kid: string): Promise<JsonWebKey | undefined>
  /** Milliseconds since 1970. */
  now: number
}

/** What is wrong with the token, for the one who sent it. */
export class LogoutTokenRefused extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'LogoutTokenRefused'
  }
}

type Claims = Record<string, unknown>

const check = (good: boolean, reason: string): void => {
  if (!good) throw new LogoutTokenRefused(reason)
}

const isObject = (value: unknown): value is Claims =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function decoded(part: string): Claims {
  try {
    const found: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    if (isObject(found)) return found
  } catch {
    // Told below.
  }
  throw new LogoutTokenRefused('it is no JSON Web Token')
}

/**
 * Section 2.6, in its order. Ending a session twice does no harm, so a token that comes again is taken again: the provider
 * repeats one whose answer was lost.
 * @throws {LogoutTokenRefused}
 */
export async function verifyLogoutToken(token: string, { issuer, clientId, key, now }: Expected): Promise<Ended> {
  const parts = token.split('.')
  const [head = '', body = '', signature = ''] = parts
  check(parts.length === 3, 'it is no signed JSON Web Token')
  const header = decoded(head)
  // One algorithm, decided here: never the one that the token asks for. It is the one of this client's ID tokens.
  check(header['alg'] === 'RS256', 'it is not signed with RS256')
  // So that no other signed token of this provider passes for one (RFC 8725 section 3.11).
  check(header['typ'] === 'logout+jwt', 'it is not of the type logout+jwt')
  const jwk = typeof header['kid'] === 'string' ? await key(header['kid']) : undefined
  if (jwk?.kty !== 'RSA') throw new LogoutTokenRefused('its key is none of the provider')
  const signed = Buffer.from(`${head}.${body}`)
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
  check(verify('sha256', signed, publicKey, Buffer.from(signature, 'base64url')), 'its signature is wrong')

  const { iss, aud, iat, exp, jti, events, sid, sub, ...rest } = decoded(body)
  const seconds = now / 1000
  check(iss === issuer, 'it is from another issuer')
  check(aud === clientId || (Array.isArray(aud) && aud.includes(clientId)), 'it is for another client')
  check(typeof iat === 'number' && iat <= seconds + SKEW, 'it has no time of issue, or one to come')
  check(typeof exp === 'number' && exp > seconds - SKEW, 'it has expired')
  check(typeof jti === 'string', 'it has no jti')
  check(isObject(events) && isObject(events[EVENT]), 'it does not say that a session ended')
  check(!('nonce' in rest), 'it has a nonce, as ID tokens have')
  check(sid === undefined || typeof sid === 'string', 'its sid is no text')
  check(sub === undefined || typeof sub === 'string', 'its sub is no text')
  check(sid !== undefined || sub !== undefined, 'it names no session and nobody')
  return { ...(typeof sid === 'string' && { sid }), ...(typeof sub === 'string' && { sub }) }
}

/** Seconds between two looks at the provider's keys, so that nobody can make this server ask it all the time. */
const PAUSE = 60
/** Milliseconds. */
const PATIENCE = 5000

/** The provider's public keys, fetched when an unknown one is named. */
export function providerKeys(address: () => Promise<string>, now: () => number): Expected['key'] {
  let keys: JsonWebKey[] = []
  let fetched = Number.NEGATIVE_INFINITY
  const find = (kid: string): JsonWebKey | undefined => keys.find((one) => one['kid'] === kid)
  return async (kid) => {
    if (find(kid) || now() - fetched < PAUSE * 1000) return find(kid)
    const before = fetched
    fetched = now()
    try {
      const signal = AbortSignal.timeout(PATIENCE)
      const response = await fetch(await address(), { redirect: 'error', signal })
      if (!response.ok) throw new Error(`the provider answered ${response.status} when it was asked for its keys`)
      keys = ((await response.json()) as { keys: JsonWebKey[] }).keys
    } catch (error) {
      fetched = before
      throw error
    }
    return find(kid)
  }
}
