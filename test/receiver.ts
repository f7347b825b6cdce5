// A relying party's server that hears of sign-outs: real HTTP, each logout token verified as its specification says.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, jwtVerify, type JWTPayload } from 'jose'

export interface Heard {
  client: string
  sub?: string
  sid?: unknown
  jti?: string
}

export interface Receiver {
  port: number
  /** Verified tokens, in the order of their arrival. */
  heard: Heard[]
  /** As they came. */
  tokens: string[]
  /** What was no good token, and why. */
  refused: string[]
  uri(client: string): string
  /** How requests are answered from now on. */
  answer: (request: IncomingMessage, response: ServerResponse) => void
  /** What was asked for, answered or not. */
  paths: string[]
  /** How often. */
  asked(): number
  until(count: number, what?: (heard: Heard) => boolean): Promise<Heard[]>
  close(): Promise<void>
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** OpenID Connect Back-Channel Logout 1.0, sections 2.4 to 2.6. @throws when the token is not good for that client. */
async function verified(token: string, issuer: string, client: string): Promise<JWTPayload> {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`), { cacheMaxAge: 60_000 })
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer,
    audience: client,
    typ: 'logout+jwt',
    requiredClaims: ['iat', 'exp', 'jti', 'events', 'sub'],
  })
  if (protectedHeader.alg === 'none') throw new Error('not signed')
  if ('nonce' in payload) throw new Error('it has a nonce')
  const events = payload['events'] as Record<string, unknown>
  if (JSON.stringify(events) !== JSON.stringify({ [EVENT]: {} })) throw new Error('it has other events')
  return payload
}

/** `issuer` is asked for when a token arrives: the provider may start after this. */
export async function receiver(issuer: () => string): Promise<Receiver> {
  const heard: Heard[] = []
  const refused: string[] = []
  const tokens: string[] = []
  const paths: string[] = []
  const server = createServer((request, response) => {
    paths.push(request.url ?? '')
    const client = decodeURIComponent((request.url ?? '').slice('/logout/'.length))
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => undefined)
    request.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(chunks).toString())
      const good =
        request.method === 'POST' &&
        request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true &&
        [...form.keys()].join() === 'logout_token'
      const token = good ? (form.get('logout_token') ?? '') : ''
      tokens.push(token)
      void judge(token, client, request, response)
    })
  })
  async function judge(token: string, client: string, request: IncomingMessage, response: ServerResponse) {
    try {
      const { sub, sid, jti } = await verified(token, issuer(), client)
      if (!taken(request, response)) return
      heard.push({ client, ...(sub && { sub }), ...(sid !== undefined && { sid }), ...(jti && { jti }) })
    } catch (error) {
      refused.push(`${client}: ${String(error)}`)
      response.writeHead(400).end()
    }
  }
  const taken = (request: IncomingMessage, response: ServerResponse): boolean => {
    self.answer(request, response)
    return response.statusCode < 300 && response.writableEnded
  }
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const self: Receiver = {
    port,
    heard,
    tokens,
    refused,
    uri: (client) => `http://127.0.0.1:${port}/logout/${encodeURIComponent(client)}`,
    answer: (_request, response) => void response.writeHead(200, { 'cache-control': 'no-store' }).end(),
    paths,
    asked: () => paths.length,
    async until(count, what = () => true) {
      for (let tries = 0; tries < 3000; tries++) {
        const found = heard.filter(what)
        if (found.length >= count) return found
        await new Promise((done) => setTimeout(done, 5))
      }
      throw new Error(`fewer than ${count} logout tokens: ${JSON.stringify({ heard, refused })}`)
    },
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
  return self
}

const metadata = (client: string, at: string, more: Record<string, unknown>) => ({
  client_id: client,
  client_secret: `${client}-secret`,
  redirect_uris: ['http://rp.example/cb'],
  post_logout_redirect_uris: ['http://rp.example'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code' as const],
  backchannel_logout_uri: at,
  ...more,
})

/** A relying party that is told which session ended. */
export const bySession = (client: string, at: string) =>
  metadata(client, at, { backchannel_logout_session_required: true })
/** A relying party that is told who was signed out, and knows no sessions. */
export const byPerson = (client: string, at: string) => metadata(client, at, {})

/** This machine, where the receivers listen. */
export const here = { networks: ['127.0.0.0/8', '::1'] }
