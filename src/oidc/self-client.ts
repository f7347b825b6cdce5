// The built-in client: pages that begin without a relying party are authorization requests too.
import type { ClientMetadata } from 'oidc-provider'

export const selfClientId = 'self-service'

/** It gets no code and no token (`response_type=none`), and ends at a page of ours. */
export const selfClient = (issuer: string, name: string): ClientMetadata => ({
  client_id: selfClientId,
  client_name: name,
  redirect_uris: [`${issuer.replace(/\/$/, '')}/self-service/return`],
  response_types: ['none'],
  grant_types: [],
  token_endpoint_auth_method: 'none',
})

/** The authorization request that opens one of our pages; `state` says which when it is over. */
export const selfRequest = (issuer: string, prompt: string): string => {
  const { client_id, redirect_uris = [] } = selfClient(issuer, '')
  return new URLSearchParams({
    client_id,
    response_type: 'none',
    scope: 'openid',
    redirect_uri: redirect_uris[0] ?? '',
    prompt,
    state: prompt,
  }).toString()
}
