// The shop's API against a provider of a few lines: which token it takes, what it says of the others, and what the shop reads from that.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import * as client from 'openid-client'
import { jsonLog } from '../../src/server/log.ts'
import { callApi, wantedBy } from '../../src/demo/api.ts'
import { startResourceServer } from '../../src/demo/resource-server.ts'

const NOW = 1_800_000_000
const mfa = 'urn:oidc-self-service:acr:mfa'
const pwd = 'urn:oidc-self-service:acr:pwd'
const good = { active: true, token_type: 'Bearer', client_id: 'shop', sub: 'alice', acr: mfa, auth_time: NOW - 60 }

/** Answers of introspection, by token. */
const tokens: Record<string, object> = {
  good,
  inactive: { active: false },
  weak: { ...good, acr: pwd },
  silent: { active: true, token_type: 'Bearer', client_id: 'shop', sub: 'alice' },
  old: { ...good, auth_time: NOW - 301 },
  refresh: { ...good, token_type: 'refresh_token' },
  foreign: { ...good, client_id: 'another-shop' },
}

let provider: Server
let api: Awaited<ReturnType<typeof startResourceServer>>
let asked: string[] = []

beforeAll(async () => {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const issuer = `http://localhost:${(provider.address() as AddressInfo).port}`
    response.setHeader('content-type', 'application/json')
    if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer, introspection_endpoint: `${issuer}/introspection` }))
      return
    }
    let body = ''
    for await (const part of request) body += String(part)
    asked.push(request.headers.authorization ?? '')
    const found = tokens[new URLSearchParams(body).get('token') ?? '']
    if (!found) response.statusCode = 500
    response.end(JSON.stringify(found ?? {}))
  }
  provider = createServer((request, response) => void answer(request, response))
  await new Promise<void>((done) => provider.listen(0, 'localhost', done))
  api = await startResourceServer({
    issuer: `http://localhost:${(provider.address() as AddressInfo).port}`,
    clientId: 'api',
    clientSecret: 'ofTheApi',
    audience: ['shop'],
    host: '127.0.0.1',
    port: 0,
    log: jsonLog('silent'),
    now: () => NOW * 1000,
  })
})
afterAll(async () => {
  await api?.close()
  await new Promise((done) => provider.close(done))
})

async function call(
  path: string,
  authorization?: string,
): Promise<{ status: number; challenge: string; body: string }> {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
  const response = await fetch(`${api.url}${path}`, { method: 'POST', headers })
  const challenge = response.headers.get('www-authenticate') ?? ''
  return { status: response.status, challenge, body: await response.text() }
}

describe('the resource server', () => {
  it('takes a token that was issued to the shop, of a sign-in that is strong and recent enough', async () => {
    asked = []
    for (const path of ['/checkout', '/delivery-address']) {
      const { status, body } = await call(path, 'Bearer good')
      expect([status, JSON.parse(body).token]).toEqual([
        200,
        { sub: 'alice', client_id: 'shop', acr: mfa, auth_time: NOW - 60 },
      ])
    }
    // RFC 7662 2.1: it says who it is, with its own secret.
    expect(asked).toEqual(Array.from({ length: 2 }, () => `Basic ${btoa('api:ofTheApi')}`))
  })

  it('RFC 6750 3.1: no token, no error code; nothing is asked of the provider', async () => {
    asked = []
    for (const authorization of [undefined, 'Basic YTpi', 'Bearer', 'Bearer a b', 'Bearer "']) {
      expect(await call('/checkout', authorization)).toMatchObject({ status: 401, challenge: 'Bearer realm="shop"' })
    }
    expect(asked).toEqual([])
  })

  it.each(['inactive', 'refresh', 'foreign'])('a token that is %s is invalid', async (token) => {
    const { status, challenge, body } = await call('/checkout', `Bearer ${token}`)
    expect([status, challenge]).toEqual([401, expect.stringContaining('error="invalid_token"')])
    expect(body).not.toContain('order')
  })

  it.each([
    ['/checkout', 'weak', { acr_values: mfa }],
    ['/checkout', 'silent', { acr_values: mfa }],
    ['/delivery-address', 'weak', { acr_values: mfa, max_age: '300' }],
    ['/delivery-address', 'old', { acr_values: mfa, max_age: '300' }],
    ['/delivery-address', 'silent', { acr_values: mfa, max_age: '300' }],
  ])('OI-4: %s with a token that is %s: the shop reads what to ask for', async (path, token, wanted) => {
    const { status, challenge } = await call(path, `Bearer ${token}`)
    expect([status, challenge]).toEqual([
      401,
      expect.stringMatching(/^Bearer .*error="insufficient_user_authentication"/),
    ])
    const shop = new client.Configuration({ issuer: api.url }, 'shop')
    client.allowInsecureRequests(shop)
    expect(await callApi(shop, token, new URL(path, api.url))).toEqual({ ask: wanted })
  })

  it('a provider that fails is no verdict on the token', async () => {
    expect(await call('/checkout', 'Bearer unknown')).toMatchObject({ status: 503, challenge: '' })
  })

  it('nothing else is there', async () => {
    expect((await call('/', 'Bearer good')).status).toBe(404)
    expect((await fetch(`${api.url}/checkout`, { headers: { authorization: 'Bearer good' } })).status).toBe(404)
  })
})

describe('what the shop copies from a challenge', () => {
  const read = (parameters: Record<string, string>, scheme: Lowercase<string> = 'bearer') =>
    wantedBy([{ scheme, parameters }])
  const error = 'insufficient_user_authentication'

  it('only what RFC 9470 names, and only what looks like it', () => {
    expect(
      read({ error, acr_values: 'a b', max_age: '5', prompt: 'none', redirect_uri: 'http://evil.example' }),
    ).toEqual({ acr_values: 'a b', max_age: '5' })
    expect(read({ error, acr_values: 'a\r\nb', max_age: '-1' })).toEqual({})
  })

  it('a new sign-in for a dead token; nothing for what no new token would change', () => {
    expect(read({ error: 'invalid_token', acr_values: 'a' })).toEqual({})
    expect(read({ error: 'insufficient_scope', scope: 'x' })).toBeUndefined()
    expect(read({ error, acr_values: 'a' }, 'dpop')).toBeUndefined()
    expect(wantedBy([])).toBeUndefined()
  })
})
