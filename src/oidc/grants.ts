// What of oidc-provider a host may not switch on: refused at the start, with one sentence each.
import type { Configuration } from 'oidc-provider'
import { shown } from './prompts.ts'
import { selfClientId } from './self-client.ts'
import { CODE } from './tokens.ts'

type Section = Record<string, unknown>
/** The host's configuration as it stands there: an unsafe value is to be found whatever its type says. */
interface Host {
  features: Record<string, Section | undefined>
  cookies: { keys?: unknown; long?: Section; short?: Section }
  ttl: Section
  clientDefaults: Section
  responseTypes: readonly string[]
  clients: readonly { client_id: string }[]
  checks: readonly string[] | undefined
  /** Prompts of its own that have no page. */
  pageless: readonly string[]
  acceptQueryParamAccessTokens: unknown
  clockTolerance: unknown
}

const SKEW = 60
const on = ({ features }: Host, name: string): Section | undefined =>
  features[name]?.['enabled'] === true ? features[name] : undefined

const above = (value: unknown, most: number): boolean => typeof value === 'number' && value > most

/** Fewer characters could be tried out while the code lives (RFC 8628 5.1 and 6.1). */
const shortMask = (device: Section | undefined): boolean =>
  typeof device?.['mask'] === 'string' &&
  device['mask'].split('*').length - 1 < (device['charset'] === 'digits' ? 9 : 8)

type Rule = (host: Host) => false | string | undefined

/** A sentence names the option, what it must be, and the fix. */
const features: readonly Rule[] = [
  (host) =>
    on(host, 'ciba') &&
    'features.ciba must not be enabled, because it signs users in without a page on which they could register or prove anything: remove it',
  (host) =>
    on(host, 'openid4vci')?.['preAuthorizedCodeGrant'] === true &&
    'features.openid4vci.preAuthorizedCodeGrant must be false, because it signs users in without a page on which they could register or prove anything: remove it',
  (host) =>
    on(host, 'richAuthorizationRequests') &&
    'features.richAuthorizationRequests must not be enabled, because no page shows what users would consent to: use scopes',
  (host) =>
    on(host, 'registration') &&
    !on(host, 'registration')?.['initialAccessToken'] &&
    'features.registration.initialAccessToken must be set, because anybody could register a relying party: set it',
  (host) =>
    on(host, 'clientIdMetadataDocument') &&
    !on(host, 'clientIdMetadataDocument')?.['allowFetch'] &&
    'features.clientIdMetadataDocument.allowFetch must be set, because anybody could be a relying party: say there who may',
  (host) =>
    on(host, 'pushedAuthorizationRequests')?.['requirePushedAuthorizationRequests'] === true &&
    'features.pushedAuthorizationRequests.requirePushedAuthorizationRequests must be false, because /change-password and the like begin with a plain request: set require_pushed_authorization_requests for each client',
  (host) =>
    on(host, 'pushedAuthorizationRequests')?.['allowUnregisteredRedirectUris'] === true &&
    'features.pushedAuthorizationRequests.allowUnregisteredRedirectUris must be false, because redirect addresses are compared exactly: register them',
  (host) =>
    on(host, 'requestObjects')?.['requireSignedRequestObject'] === true &&
    'features.requestObjects.requireSignedRequestObject must be false, because /change-password and the like begin with a plain request: set require_signed_request_object for each client',
  ({ features }) =>
    features['dPoP']?.['allowReplay'] === true &&
    'features.dPoP.allowReplay must be false, because a proof that was seen could be used again: remove it',
  (host) =>
    shortMask(on(host, 'deviceFlow')) &&
    'features.deviceFlow.mask must have 8 characters, or 9 digits, because shorter codes can be tried out: lengthen it',
]

const others: readonly Rule[] = [
  ({ responseTypes }) => {
    const token = responseTypes.find((type) => type.split(' ').includes('token'))
    return token && `responseTypes must not hold "${token}", because addresses are no place for tokens: use "code"`
  },
  ({ clients }) =>
    clients.some((client) => client.client_id === selfClientId) &&
    `clients must not hold "${selfClientId}", because the built-in client has that name: choose another client_id`,
  ...(['require_pushed_authorization_requests', 'require_signed_request_object'] as const).map(
    (name): Rule =>
      ({ clientDefaults }) =>
        clientDefaults[name] === true &&
        `clientDefaults.${name} must be false, because /change-password and the like begin with a plain request: set it for each client`,
  ),
  ({ ttl }) =>
    above(ttl['AuthorizationCode'], CODE) &&
    `ttl.AuthorizationCode must be at most ${CODE} seconds (found ${String(ttl['AuthorizationCode'])}): lower it`,
  ({ clockTolerance }) =>
    above(clockTolerance, SKEW) &&
    `clockTolerance must be at most ${SKEW} seconds, because what has expired lives on for so long: lower it`,
  ({ acceptQueryParamAccessTokens }) =>
    acceptQueryParamAccessTokens === true &&
    'acceptQueryParamAccessTokens must be false, because addresses are no place for tokens: send them in a header',
  ({ checks }) => {
    const missing = checks && ['login_prompt', 'no_session', 'max_age'].find((reason) => !checks.includes(reason))
    return (
      missing &&
      `interactions.policy must keep the check "${missing}" of its prompt "login", because a sign-in could be skipped: begin with interactionPolicy.base()`
    )
  },
  ({ pageless: [prompt] }) =>
    prompt !== undefined &&
    `interactions.url must be set, because the prompt "${prompt}" of interactions.policy has no page here: name yours`,
  ({ cookies: { keys } }) =>
    Array.isArray(keys) &&
    keys.length === 0 &&
    'cookies.keys must not be empty, because cookies are signed: name keys, or remove it and ours are taken',
]

const kinds = ['long', 'short'] as const

/** WB-6. An unsigned, readable or shared cookie is a session for whoever gets at it. */
const cookies: readonly Rule[] = [
  ...kinds.flatMap((kind) =>
    (['httpOnly', 'signed', 'secure'] as const).map(
      (name): Rule =>
        (host) =>
          host.cookies[kind]?.[name] === false && `cookies.${kind}.${name} must not be false: remove it`,
    ),
  ),
  ...kinds.map(
    (kind): Rule =>
      (host) =>
        host.cookies[kind]?.['domain'] !== undefined &&
        `cookies.${kind}.domain must not be set, because other hosts could read the cookie and plant one: remove it`,
  ),
]

const hostOf = (host: Configuration): Host => ({
  features: (host.features ?? {}) as Host['features'],
  cookies: (host.cookies ?? {}) as Host['cookies'],
  ttl: host.ttl ?? {},
  clientDefaults: host.clientDefaults ?? {},
  responseTypes: host.responseTypes ?? [],
  clients: host.clients ?? [],
  checks: host.interactions?.policy?.find(({ name }) => name === 'login')?.checks.map(({ reason }) => reason),
  pageless: host.interactions?.url
    ? []
    : (host.interactions?.policy ?? []).map(({ name }) => name).filter((name) => !shown.has(name)),
  acceptQueryParamAccessTokens: host.acceptQueryParamAccessTokens,
  clockTolerance: host.clockTolerance,
})

/** @throws {Error} one sentence for each option that would let somebody past sign-in, registration or the epoch. */
export function refuseUnsafe(host: Configuration): void {
  const facts = hostOf(host)
  const sentences = [...features, ...others, ...cookies].map((rule) => rule(facts)).filter((found) => !!found)
  if (sentences.length > 0) throw new Error(sentences.join('\n'))
}
