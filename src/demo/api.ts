// How the shop calls its API, and reads from a refusal what a new authorization request has to ask for (RFC 9470).
import * as client from 'openid-client'
import type { Asked } from './provider.ts'
import type { Receipt } from './resource-server.ts'

export type Answer =
  | { receipt: Receipt }
  /** Not with this token, but with one from a request that asks for this. */
  | { ask: Asked }

/** @throws when the API cannot be reached, or answers what nobody can make sense of. */
export async function callApi(
  configuration: client.Configuration,
  accessToken: string,
  operation: URL,
): Promise<Answer> {
  try {
    const response = await client.fetchProtectedResource(configuration, accessToken, operation, 'POST')
    if (!response.ok) throw new Error(`the API answered ${response.status}`)
    return { receipt: (await response.json()) as Receipt }
  } catch (error) {
    const ask = error instanceof client.WWWAuthenticateChallengeError ? wantedBy(error.cause) : undefined
    if (!ask) throw error
    return { ask }
  }
}

/** What is copied from a challenge into a request is what RFC 9470 names, and looks like it. */
const copied: Readonly<Record<string, RegExp>> = {
  acr_values: /^[\x21-\x7e]+( [\x21-\x7e]+)*$/,
  max_age: /^\d{1,9}$/,
}

/** The parameters of the next authorization request; undefined when a new token would not help. */
export function wantedBy(challenges: readonly client.WWWAuthenticateChallenge[]): Asked | undefined {
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer')?.parameters
  if (bearer?.error === 'invalid_token') return {}
  if (bearer?.error !== 'insufficient_user_authentication') return undefined
  const wanted: Record<string, string> = {}
  for (const [name, form] of Object.entries(copied)) {
    const value = bearer[name as Lowercase<string>]
    if (value !== undefined && form.test(value)) wanted[name] = value
  }
  return wanted
}
