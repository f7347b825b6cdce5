// The attacker waits for a host that loosens oidc-provider, for a signed token that outlives a reset, for a client without a secret.
// What would let anybody past sign-in is refused at the start; the rest holds whatever the host set.
import { createPublicKey, verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Configuration, errors, interactionPolicy } from 'oidc-provider'
import { acr } from '../../src/flows/finish.ts'
import { password } from '../journeys/steps.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, RP, type Tokens, verifier, type World, world } from '../world.ts'
import { anyone, arena, back, errorOf, leaked, parallel, silently, someone } from './attacker.ts'

const voluntary = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }
const API = 'https://api.example'

/** Whatever a host writes, also what the types do not let it write. */
type Written = Record<string, unknown>
const feature = (name: string, more: object = {}): Written => ({ features: { [name]: { enabled: true, ...more } } })
const without = (reason: string): Written => {
  const policy = interactionPolicy.base()
  policy.get('login')?.checks.remove(reason)
  return { interactions: { policy } }
}

const unsafe: readonly [host: Written, sentence: string][] = [
  [
    feature('ciba'),
    'features.ciba must not be enabled, because it signs users in without a page on which they could register or prove anything: remove it',
  ],
  [
    feature('openid4vci', { preAuthorizedCodeGrant: true }),
    'features.openid4vci.preAuthorizedCodeGrant must be false, because it signs users in without a page on which they could register or prove anything: remove it',
  ],
  [
    feature('richAuthorizationRequests'),
    'features.richAuthorizationRequests must not be enabled, because no page shows what users would consent to: use scopes',
  ],
  [
    feature('registration'),
    'features.registration.initialAccessToken must be set, because anybody could register a relying party: set it',
  ],
  [
    feature('registration', { initialAccessToken: '' }),
    'features.registration.initialAccessToken must be set, because anybody could register a relying party: set it',
  ],
  [
    feature('clientIdMetadataDocument'),
    'features.clientIdMetadataDocument.allowFetch must be set, because anybody could be a relying party: say there who may',
  ],
  [
    feature('pushedAuthorizationRequests', { requirePushedAuthorizationRequests: true }),
    'features.pushedAuthorizationRequests.requirePushedAuthorizationRequests must be false, because /change-password and the like begin with a plain request: set require_pushed_authorization_requests for each client',
  ],
  [
    feature('pushedAuthorizationRequests', { allowUnregisteredRedirectUris: true }),
    'features.pushedAuthorizationRequests.allowUnregisteredRedirectUris must be false, because redirect addresses are compared exactly: register them',
  ],
  [
    feature('requestObjects', { requireSignedRequestObject: true }),
    'features.requestObjects.requireSignedRequestObject must be false, because /change-password and the like begin with a plain request: set require_signed_request_object for each client',
  ],
  [
    { features: { dPoP: { allowReplay: true } } },
    'features.dPoP.allowReplay must be false, because a proof that was seen could be used again: remove it',
  ],
  [
    feature('deviceFlow', { mask: '***-***' }),
    'features.deviceFlow.mask must have 8 characters, or 9 digits, because shorter codes can be tried out: lengthen it',
  ],
  [
    feature('deviceFlow', { charset: 'digits', mask: '****-****' }),
    'features.deviceFlow.mask must have 8 characters, or 9 digits, because shorter codes can be tried out: lengthen it',
  ],
  [
    { responseTypes: ['code', 'code token'] },
    'responseTypes must not hold "code token", because addresses are no place for tokens: use "code"',
  ],
  [
    { clients: [{ client_id: 'self-service', redirect_uris: ['https://evil.example/cb'] }] },
    'clients must not hold "self-service", because the built-in client has that name: choose another client_id',
  ],
  [
    { clientDefaults: { require_pushed_authorization_requests: true } },
    'clientDefaults.require_pushed_authorization_requests must be false, because /change-password and the like begin with a plain request: set it for each client',
  ],
  [{ ttl: { AuthorizationCode: 61 } }, 'ttl.AuthorizationCode must be at most 60 seconds (found 61): lower it'],
  [
    { clockTolerance: 61 },
    'clockTolerance must be at most 60 seconds, because what has expired lives on for so long: lower it',
  ],
  [
    { acceptQueryParamAccessTokens: true },
    'acceptQueryParamAccessTokens must be false, because addresses are no place for tokens: send them in a header',
  ],
  ...['login_prompt', 'no_session', 'max_age'].map((reason): [Written, string] => [
    without(reason),
    `interactions.policy must keep the check "${reason}" of its prompt "login", because a sign-in could be skipped: begin with interactionPolicy.base()`,
  ]),
  [
    { cookies: { keys: [] } },
    'cookies.keys must not be empty, because cookies are signed: name keys, or remove it and ours are taken',
  ],
  [{ cookies: { long: { httpOnly: false } } }, 'cookies.long.httpOnly must not be false: remove it'],
  [{ cookies: { short: { signed: false } } }, 'cookies.short.signed must not be false: remove it'],
  [{ cookies: { long: { secure: false } } }, 'cookies.long.secure must not be false: remove it'],
  [
    { cookies: { long: { domain: 'example.org' } } },
    'cookies.long.domain must not be set, because other hosts could read the cookie and plant one: remove it',
  ],
]

describe('CF-1: a host that loosens the provider', () => {
  let w: World
  beforeAll(async () => {
    w = await world()
  })
  afterAll(() => w.close())

  it.each(unsafe)('is refused at the start: %j', (host, sentence) => {
    expect(() => w.self.configure(host as Configuration)).toThrow(new Error(sentence))
  })

  it('hears everything at once', () => {
    const host = { ...feature('ciba'), ttl: { AuthorizationCode: 600 } } as Configuration
    expect(() => w.self.configure(host)).toThrow(/^features\.ciba .*: remove it\nttl\.AuthorizationCode .*: lower it$/)
  })

  it.each([
    {},
    feature('ciba', { enabled: false }),
    feature('clientCredentials'),
    feature('deviceFlow', { charset: 'digits', mask: '***-***-***' }),
    feature('registration', { initialAccessToken: true }),
    feature('clientIdMetadataDocument', { allowFetch: () => false }),
    { responseTypes: ['code', 'id_token', 'code id_token'] },
    { ttl: { AuthorizationCode: 60 }, clockTolerance: 15, cookies: { long: { sameSite: 'none' }, keys: ['k'] } },
    { interactions: { policy: interactionPolicy.base() } },
  ] as Written[])('is not refused for what is safe: %j', (host) => {
    expect(() => w.self.configure(host as Configuration)).not.toThrow()
  })
})

const signing = (more: object = {}): Configuration => ({
  issueRefreshToken: async () => true,
  expiresWithSession: async () => false,
  features: {
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(_ctx: unknown, resource: string) {
        if (resource !== API) throw new errors.InvalidTarget()
        return { scope: 'read', audience: API, accessTokenFormat: 'jwt', accessTokenTTL: 86_400 }
      },
    },
  },
  ...more,
})

const asking = { resource: API, scope: 'openid read' }
const grantOf = (location = '') => ({
  grant_type: 'authorization_code',
  code: new URL(location).searchParams.get('code') ?? '',
  redirect_uri: `${RP}/cb`,
  code_verifier: verifier,
})
const decoded = (token: unknown): { header: Record<string, unknown>; claims: Record<string, unknown> } => {
  const [header = '', claims = ''] = String(token).split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  return { header: read(header), claims: read(claims) }
}

eachStore('tokens', (database) => {
  const at = arena(database)

  /** A resource server that asks nobody: signature, issuer, audience, time. */
  async function accepted(w: World, token: unknown, now: number): Promise<boolean> {
    const { keys } = (await (await fetch(`${w.issuer}/jwks`)).json()) as { keys: (JsonWebKey & { kid: string })[] }
    const { header, claims } = decoded(token)
    const key = keys.find(({ kid }) => kid === header['kid'])
    const [head, body, signature = ''] = String(token).split('.')
    const good = verify(
      'sha256',
      Buffer.from(`${head}.${body}`),
      createPublicKey({ key: key as never, format: 'jwk' }),
      Buffer.from(signature, 'base64url'),
    )
    return good && claims['iss'] === w.issuer && claims['aud'] === API && Number(claims['exp']) * 1000 > now
  }

  it.each([
    ['by default', {}, undefined, 300],
    ['by policy', {}, 60_000, 60],
    ['with a longer ttl of the host', { ttl: { AccessToken: 7200 } }, undefined, 300],
    ['with a ttl of the host that is a function', { ttl: { AccessToken: () => 7200 } }, undefined, 300],
    ['with a shorter ttl of the host', { ttl: { AccessToken: 30 } }, undefined, 30],
    [
      'with a host that writes into the token',
      {
        formats: {
          customizers: {
            jwt: (_c: unknown, _t: unknown, parts: { payload: object }) =>
              void Object.assign(parts.payload, { exp: 4e9, more: 1 }),
          },
        },
      },
      undefined,
      300,
    ],
  ] as const)(
    'SE-1: a signed access token lives no longer than policy says, %s',
    async (_how, host, signedFor, seconds) => {
      const policy = { ...voluntary, ...(signedFor !== undefined && { tokens: { signedFor } }) }
      const w = await at.enter({ policy, host: signing(host) })
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      const response = await password(w, b, username, asking)
      const tokens = await back(w, '/token', { ...grantOf(response.location), resource: API })
      const again = await back(w, '/token', {
        grant_type: 'refresh_token',
        refresh_token: String(tokens['refresh_token']),
        resource: API,
      })
      for (const one of [tokens, again]) {
        const { claims } = decoded(one['access_token'])
        expect([Number(claims['exp']) - Number(claims['iat']), one['expires_in']]).toEqual([seconds, seconds])
      }
      // What is not signed keeps the host's own lifetime.
      const plain = await w.exchange(await silently(w, b))
      const opaque = await w.provider.AccessToken.find(String(plain.access_token))
      const own = 'ttl' in host ? (typeof host.ttl.AccessToken === 'function' ? 7200 : host.ttl.AccessToken) : 3600
      expect(Number(opaque?.exp) - Number(opaque?.iat)).toBe(own)
    },
  )

  it('SE-1: after a reset a signed token opens nothing here, no new one comes, and the old one ends within minutes', async () => {
    const w = await at.enterTwo({ policy: voluntary, host: signing() })
    const [username, b] = [someone(), anyone(w)]
    const { id } = await w.add(username)
    const response = await password(w, b, username, asking)
    const tokens = await back(w, '/token', { ...grantOf(response.location), resource: API })
    const token = tokens['access_token']
    const { header, claims } = decoded(token)
    expect(header['typ']).toBe('at+jwt')
    expect(claims).toMatchObject({ sub: id, aud: API, scope: 'read', acr: acr.password, amr: ['pwd'] })
    expect(claims['auth_time']).toBe(decoded(tokens['id_token']).claims['auth_time'])
    await w.self.signOut(id)
    const refresh = { grant_type: 'refresh_token', refresh_token: String(tokens['refresh_token']), resource: API }
    expect(await back(w, '/token', refresh)).toMatchObject({ status: 400, error: 'invalid_grant' })
    expect(errorOf(await silently(w, b, asking))).toBe('login_required')
    const userinfo = await fetch(`${w.issuer}/me`, { headers: { authorization: `Bearer ${String(token)}` } })
    expect(userinfo.status).toBe(401)
    // RFC 7662 and RFC 7009 leave it to the server: a signed token is neither looked up nor revoked.
    for (const path of ['/token/introspection', '/token/revocation']) {
      expect(await back(w, path, { token: String(token) })).toMatchObject({
        status: 400,
        error: 'unsupported_token_type',
      })
    }
    // A resource server that only checks the signature still takes it: five minutes, not a day.
    const now = Date.now()
    expect(await accepted(w, token, now)).toBe(true)
    expect(await accepted(w, token, now + 301_000)).toBe(false)
  })

  it('OI-6: a code lives for 60 seconds, also where a host computes its life', async () => {
    for (const ttl of [
      {},
      { AuthorizationCode: () => 3600 },
      { AuthorizationCode: 10 },
      { AuthorizationCode: () => 5 },
    ]) {
      const w = await at.enter({ policy: voluntary, host: { ttl } })
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      const code = grantOf((await password(w, b, username)).location).code
      const found = await w.provider.AuthorizationCode.find(code)
      const expected = ttl.AuthorizationCode === 10 ? 10 : ttl.AuthorizationCode?.toString() === '() => 5' ? 5 : 60
      expect(Number(found?.exp) - Number(found?.iat)).toBe(expected)
    }
  })

  const bare = {
    client_id: 'app',
    redirect_uris: [`${RP}/cb`],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  } as const
  const clients = [
    bare,
    {
      ...bare,
      client_id: 'rp',
      client_secret: 'rp-secret',
      token_endpoint_auth_method: 'client_secret_basic' as const,
    },
  ]
  const noChallenge = { code_challenge: '', code_challenge_method: '' }
  const stripped = (address: string): string => address.replaceAll(/&code_challenge(_method)?=/g, '')

  it.each([
    ['nothing', {}, [false, false]],
    ['that nobody needs it', { pkce: { required: () => false } }, [false, true]],
  ] as const)('OI-7: without PKCE there is no code, when the host says %s', async (_what, host, expected) => {
    const w = await at.enter({ policy: voluntary, host, clients })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    expect(leaked(await password(w, b, username))).toBe(true)
    for (const [index, client_id] of ['app', 'rp'].entries()) {
      const response = await b.clone().open(stripped(w.authorize({ client_id, ...noChallenge })))
      expect([client_id, leaked(response)]).toEqual([client_id, expected[index]])
      expect(errorOf(response)).toBe(expected[index] ? null : 'invalid_request')
      expect(leaked(await b.clone().open(w.authorize({ client_id })))).toBe(true)
    }
  })

  it('OI-7: an address gets no token, and no ID token unless the host says so', async () => {
    const w = await at.enter({ policy: voluntary })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await password(w, b, username)
    for (const response_type of ['token', 'id_token', 'code id_token', 'code token', 'id_token token']) {
      const response = await silently(w, b, { response_type })
      expect([response_type, leaked(response)]).toEqual([response_type, false])
    }
    const discovery = (await (await fetch(`${w.issuer}/.well-known/openid-configuration`)).json()) as Record<
      string,
      unknown
    >
    expect(discovery).toMatchObject({
      response_types_supported: ['code', 'none'],
      code_challenge_methods_supported: ['S256'],
    })
  })

  it('OI-5: a client without a secret gets a new refresh token each time, whatever the host says, and a used one ends all', async () => {
    const host: Configuration = {
      issueRefreshToken: async () => true,
      rotateRefreshToken: false,
      revokeGrantPolicy: () => false,
    }
    const w = await at.enterTwo({ policy: voluntary, host, clients })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await password(w, b, username)
    const post = async (form: Record<string, string>): Promise<Tokens> => {
      const body = new URLSearchParams({ client_id: 'app', ...form })
      const answer = await fetch(`${w.issuer}/token`, { method: 'POST', body })
      return { ...((await answer.json()) as Tokens), status: answer.status }
    }
    const refresh = ({ refresh_token }: Tokens) =>
      post({ grant_type: 'refresh_token', refresh_token: String(refresh_token) })
    const first = await post(grantOf((await silently(w, b, { client_id: 'app' })).location))
    const second = await refresh(first)
    expect(second.status).toBe(200)
    expect(second.refresh_token).not.toBe(first.refresh_token)
    const answers = await parallel(50, () => refresh(second))
    const won = answers.filter(({ status }) => status === 200)
    expect(won.length).toBeLessThanOrEqual(1)
    expect(
      new Set(answers.filter(({ status }) => status !== 200).map(({ status, error }) => `${status} ${error}`)),
    ).toEqual(new Set(['400 invalid_grant']))
    for (const one of [first, second, ...won]) expect((await refresh(one)).status).toBe(400)
    for (const { access_token } of [first, second, ...won]) {
      const userinfo = await fetch(`${w.issuer}/me`, { headers: { authorization: `Bearer ${access_token}` } })
      expect(userinfo.status).toBe(401)
    }
    // A relying party with a secret may keep its own, when the host says so.
    const kept = await w.exchange(await silently(w, b))
    const same = await back(w, '/token', { grant_type: 'refresh_token', refresh_token: String(kept.refresh_token) })
    expect(same['refresh_token']).toBe(kept.refresh_token)
  })
})
