// What the shop takes for a logout token, and everything that looks like one and is none (Back-Channel Logout 1.0, 2.4 and 2.6).
import { createHmac, generateKeyPairSync, type JsonWebKey, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { type Expected, LogoutTokenRefused, providerKeys, verifyLogoutToken } from '../../src/demo/logout-token.ts'

const NOW = 1_800_000_000
const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const ours = pair()
const jwk: JsonWebKey = { ...ours.publicKey.export({ format: 'jwk' }), kid: 'one' }
const expected: Expected = {
  issuer: 'https://login.example.org',
  clientId: 'shop',
  key: async (kid) => (kid === 'one' ? jwk : undefined),
  now: NOW * 1000,
}

const claims = {
  iss: expected.issuer,
  aud: 'shop',
  iat: NOW,
  exp: NOW + 120,
  jti: 'x',
  events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  sub: 'alice',
  sid: 'session',
}
const header = { alg: 'RS256', typ: 'logout+jwt', kid: 'one' }
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function token(body: object = {}, head: object = {}, key = ours.privateKey): string {
  const signed = `${part({ ...header, ...head })}.${part({ ...claims, ...body })}`
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`
}
const unsigned = `${part({ ...header, alg: 'none' })}.${part(claims)}.`
/** The public key used as if it were a secret that both know. */
function confused(): string {
  const signed = `${part({ ...header, alg: 'HS256' })}.${part(claims)}`
  const secret = ours.publicKey.export({ format: 'pem', type: 'spki' })
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

describe('a logout token', () => {
  it('names a session, or everything of somebody', async () => {
    expect(await verifyLogoutToken(token(), expected)).toEqual({ sid: 'session', sub: 'alice' })
    expect(await verifyLogoutToken(token({ sid: undefined }), expected)).toEqual({ sub: 'alice' })
    expect(await verifyLogoutToken(token({ sub: undefined, aud: ['shop', 'desk'] }), expected)).toEqual({
      sid: 'session',
    })
  })

  it.each([
    ['signed with another key', token({}, {}, pair().privateKey)],
    ['not signed', unsigned],
    ['signed with the public key as a secret', confused()],
    ['of a key that the provider does not have', token({}, { kid: 'two' })],
    ['without a key id', token({}, { kid: undefined })],
    ['an ID token', token({ nonce: 'n', events: undefined }, { typ: 'JWT' })],
    ['with a nonce', token({ nonce: 'n' })],
    ['with an empty nonce', token({ nonce: null })],
    ['without a type', token({}, { typ: undefined })],
    ['of another issuer', token({ iss: 'https://evil.example' })],
    ['for another client', token({ aud: 'desk' })],
    ['for nobody', token({ aud: undefined })],
    ['expired', token({ exp: NOW - 61 })],
    ['without an end', token({ exp: undefined })],
    ['of the future', token({ iat: NOW + 61 })],
    ['without a time of issue', token({ iat: undefined })],
    ['without an id', token({ jti: undefined })],
    ['without an event', token({ events: undefined })],
    ['of another event', token({ events: { 'http://schemas.openid.net/event/other': {} } })],
    ['of an event that is no object', token({ events: { 'http://schemas.openid.net/event/backchannel-logout': 'x' } })],
    ['about nobody', token({ sid: undefined, sub: undefined })],
    ['about a list', token({ sid: ['session'] })],
    ['changed on the way', token().replace(/\.[^.]+\./, `.${part({ ...claims, sid: 'other' })}.`)],
    ['no token', ''],
    ['no token either', 'a.b.c'],
    ['encrypted', 'a.b.c.d.e'],
  ])('%s is refused', async (_what, refused) => {
    await expect(verifyLogoutToken(refused, expected)).rejects.toThrow(LogoutTokenRefused)
  })
})

describe('the keys of the provider', () => {
  it('are fetched when an unknown one is named, and not for every guess', async () => {
    let asked = 0
    let keys: JsonWebKey[] = [jwk]
    const server = createServer((_request, response) => {
      asked++
      response.end(JSON.stringify({ keys }))
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    let now = 0
    const key = providerKeys(
      async () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      () => now,
    )
    expect(await key('one')).toMatchObject({ kid: 'one' })
    expect(await key('one')).toMatchObject({ kid: 'one' })
    for (let guess = 0; guess < 20; guess++) expect(await key(`guess ${guess}`)).toBeUndefined()
    expect(asked).toBe(1)
    keys = [{ ...jwk, kid: 'new' }]
    now = 61_000
    expect(await key('new')).toMatchObject({ kid: 'new' })
    expect(await key('one')).toBeUndefined()
    expect(asked).toBe(2)
    await new Promise((done) => server.close(done))
  })
})
