// Embedded in somebody else's provider: their own users, claims, clients, adapter, prompt and error page; mounted in three ways.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import Koa from 'koa'
import { type Adapter, type AdapterPayload, type Configuration, interactionPolicy, Provider } from 'oidc-provider'
import { Unavailable } from '../../src/domain/problems.ts'
import type { Directory, Store } from '../../src/domain/ports.ts'
import type { Person } from '../../src/domain/types.ts'
import { type SelfService, selfService } from '../../src/plugin.ts'
import { createOutbox, type Outbox } from '../../src/senders/outbox.ts'
import { totpCode } from '../authenticator.ts'
import { Browser } from '../browser.ts'
import { type Database, eachStore } from '../stores.ts'
import { clock, type Clock, defaultPolicy, RP, rootKeys, verifier } from '../world.ts'
import { at, returned } from './steps.ts'

/** The host's users, in the host's hands. */
class People implements Directory {
  readonly people = new Map<string, Person & { password: string }>()
  down = false

  private async answer<Value>(value: Value): Promise<Value> {
    if (this.down) throw new Error('LDAP does not answer')
    return value
  }
  add(id: string, more: Partial<Person> = {}): void {
    const person = { id, username: id, email: `${id}@example.org`, emailVerified: true, password: `secret of ${id}` }
    this.people.set(id, { ...person, ...more })
  }
  findByUsername(username: string): Promise<Person | undefined> {
    const key = username.toLowerCase()
    return this.answer([...this.people.values()].find((person) => person.username.toLowerCase() === key))
  }
  find(id: string): Promise<Person | undefined> {
    return this.answer(this.people.get(id))
  }
  verify(id: string, password: string): Promise<boolean> {
    return this.answer(this.people.get(id)?.password === password)
  }
}

/** The host's adapter: a Map, as in many a small deployment. */
function mapAdapter(rows: Map<string, AdapterPayload>): (name: string) => Adapter {
  const copy = (row: AdapterPayload | undefined): AdapterPayload | undefined => row && structuredClone(row)
  return (name) => {
    const key = (id: string): string => `${name}:${id}`
    const by = (test: (row: AdapterPayload) => boolean) =>
      copy([...rows].find(([id, row]) => id.startsWith(`${name}:`) && test(row))?.[1])
    return {
      upsert: async (id, payload) => void rows.set(key(id), JSON.parse(JSON.stringify(payload))),
      find: async (id) => copy(rows.get(key(id))),
      findByUid: async (uid) => by((row) => row.uid === uid),
      findByUserCode: async (code) => by((row) => row.userCode === code),
      async consume(id) {
        const row = rows.get(key(id))
        if (row) row.consumed = Math.floor(Date.now() / 1000)
      },
      destroy: async (id) => void rows.delete(key(id)),
      async revokeByGrantId(grantId) {
        for (const [id, row] of rows) if (row.grantId === grantId) rows.delete(id)
      },
    }
  }
}

interface Host {
  issuer: string
  people: People
  self: SelfService
  outbox: Outbox
  clock: Clock
  rows: Map<string, AdapterPayload>
  server: Server
}

type Mount = 'plain' | 'koa' | 'express'

type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void>

/** What an Express application with `app.use('/login/oidc', provider.callback())` behind `express.urlencoded()` does. */
function expressLike(prefix: string, inner: Handler) {
  return async (req: IncomingMessage & { body?: unknown; originalUrl?: string }, res: ServerResponse) => {
    if (!req.url?.startsWith(`${prefix}/`)) return void res.writeHead(404).end('not the provider')
    if (req.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
      const chunks: Buffer[] = []
      for await (const chunk of req) chunks.push(chunk as Buffer)
      req.body = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()))
    }
    req.originalUrl = req.url
    req.url = req.url.slice(prefix.length)
    return inner(req, res)
  }
}

/** koa-mount: the path without the prefix, for the one that is mounted. */
function koaLike(prefix: string, provider: Provider): Koa.Middleware {
  return async (ctx, next) => {
    if (!ctx.path.startsWith(`${prefix}/`)) return next()
    ctx.req.url = (ctx.req.url ?? '').slice(prefix.length)
    Object.assign(ctx.req, { originalUrl: ctx.originalUrl })
    ctx.respond = false
    await new Promise<void>((done) => {
      ctx.res.once('close', done)
      void provider.callback()(ctx.req, ctx.res)
    })
    return undefined
  }
}

async function host(store: Store, mount: Mount, more: Configuration = {}): Promise<Host> {
  const prefix = mount === 'plain' ? '' : '/login/oidc'
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}${prefix}`
  const [people, time, rows] = [new People(), clock(), new Map<string, AdapterPayload>()]
  const outbox = createOutbox({ chance: time })
  const self = await selfService({
    issuer,
    store,
    keys: rootKeys,
    mailer: outbox,
    policy: structuredClone(defaultPolicy),
    directory: people,
    passwordCost: 4,
    chance: time,
    firstParty: (id) => id === 'rp',
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  })
  const { base, Check, Prompt } = interactionPolicy
  const policy = base()
  policy.add(
    new Prompt(
      { name: 'terms', requestable: false },
      new Check('terms', 'the terms have to be accepted', 'interaction_required', async (ctx) => {
        const id = ctx.oidc.session?.accountId
        return id !== undefined && people.people.get(id)?.groups?.includes('newcomers') === true
      }),
    ),
    1,
  )
  const provider = new Provider(
    issuer,
    self.configure({
      clients: [
        {
          client_id: 'rp',
          client_secret: 'rp-secret',
          redirect_uris: [`${RP}/cb`],
          grant_types: ['authorization_code', 'refresh_token'],
        },
      ],
      adapter: mapAdapter(rows),
      cookies: { keys: ['the host signs its cookies itself'] },
      claims: { openid: ['sub'], staff: ['badge'] },
      scopes: ['openid', 'offline_access', 'staff'],
      async findAccount(_ctx, id) {
        const person = people.people.get(id)
        return person && { accountId: id, claims: async () => ({ sub: id, badge: `#${id}`, name: 'by the host' }) }
      },
      interactions: { policy, url: () => '/terms' },
      async renderError(ctx, out) {
        ctx.type = 'text'
        ctx.body = `the host's own error page: ${out.error}`
      },
      ...more,
    }),
  )
  self.mount(provider)
  const serve = (handler: Handler): void => {
    server.on('request', (req, res) => void handler(req, res))
  }
  if (mount === 'plain') serve(provider.callback())
  if (mount === 'express') serve(expressLike(prefix, provider.callback()))
  if (mount === 'koa') {
    const app = new Koa()
    app.keys = ['the host signs its cookies itself']
    app.use(koaLike(prefix, provider))
    serve(app.callback())
  }
  return { issuer, people, self, outbox, clock: time, rows, server }
}

const authorize = (h: Host, more: Record<string, string> = {}): string =>
  `${h.issuer}/auth?${new URLSearchParams({
    client_id: 'rp',
    response_type: 'code',
    scope: 'openid profile staff',
    redirect_uri: `${RP}/cb`,
    state: 'state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  })}`

async function codeOf(h: Host, to: string): Promise<string> {
  const until = Date.now() + 10_000
  while (Date.now() < until) {
    const text = h.outbox.mails().findLast((mail) => mail.to === to)?.text ?? ''
    const found = /\b(\d{4}\s?\d{4})\b/.exec(text)?.[1]
    if (found) return found.replace(/\s/g, '')
    await new Promise((done) => setTimeout(done, 2))
  }
  throw new Error('no mail')
}

async function register(h: Host, b: Browser, id: string): Promise<string> {
  await b.open(authorize(h))
  await b.submit({ username: id, password: `secret of ${id}`, action: 'continue' })
  expect(at(b)).toBe('registration')
  await b.submit({ action: 'continue' })
  await b.submit({ code: await codeOf(h, `${id}@example.org`), action: 'continue' })
  const { secret } = b
  await b.submit({ code: totpCode(secret, h.clock.now()), action: 'continue' })
  await b.submit({ acknowledged: 'yes', action: 'continue' })
  await b.submit({ action: 'continue' })
  return secret
}

async function tokens(h: Host, b: Browser): Promise<{ access_token: string; claims: Record<string, unknown> }> {
  const response = await fetch(`${h.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('rp:rp-secret').toString('base64')}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: returned(b.now ?? { status: 0, url: '', html: '', headers: new Headers() })['code'] ?? '',
      redirect_uri: `${RP}/cb`,
      code_verifier: verifier,
    }),
  })
  const answer = (await response.json()) as { access_token: string; id_token?: string; error?: string }
  if (!answer.id_token) throw new Error(JSON.stringify(answer))
  const claims = JSON.parse(Buffer.from(answer.id_token.split('.')[1] ?? '', 'base64url').toString())
  return { access_token: answer.access_token, claims }
}

eachStore("embedded in somebody else's provider", (database) => {
  let shared: Database
  const hosts: Host[] = []
  afterEach(async () => {
    for (const h of hosts.splice(0)) {
      h.server.closeAllConnections()
      await new Promise((done) => h.server.close(done))
      await h.self.close()
    }
  })
  async function open(mount: Mount = 'plain', more: Configuration = {}): Promise<Host> {
    shared ??= await database()
    const h = await host(await shared.open(), mount, more)
    hosts.push(h)
    return h
  }

  it.each(['plain', 'koa', 'express'] as const)(
    'OP-7: registration and the next sign-in, mounted: %s',
    async (mount) => {
      const h = await open(mount)
      const id = `Ann-${mount}`
      h.people.add(id)
      const b = new Browser(h.issuer)
      const secret = await register(h, b, id)
      const { claims, access_token } = await tokens(h, b)
      expect(claims).toMatchObject({ sub: id, amr: ['pwd', 'otp', 'mfa'], iss: h.issuer })
      const info = await fetch(`${h.issuer}/me`, { headers: { authorization: `Bearer ${access_token}` } })
      expect(await info.json()).toEqual({ sub: id, badge: `#${id}`, name: 'by the host' })
      expect(h.rows.size).toBeGreaterThan(0)
      h.clock.tick(30_000)
      const other = new Browser(h.issuer)
      await other.open(authorize(h))
      await other.submit({ username: id.toLowerCase(), password: `secret of ${id}`, action: 'continue' })
      expect(at(other)).toBe('prove totp')
      await other.submit({ code: totpCode(secret, h.clock.now()), action: 'continue' })
      expect((await tokens(h, other)).claims).toMatchObject({ sub: id })
    },
  )

  it("SC-1: the host's adapter holds rows, our store holds security info, and neither the directory's password", async () => {
    const h = await open()
    h.people.add('kept')
    await register(h, new Browser(h.issuer), 'kept')
    const account = await h.self.accounts.find('kept')
    expect(account?.credentials.map(({ method }) => method)).toEqual(['email', 'totp', 'recovery-codes'])
    expect(account).not.toHaveProperty('password')
    expect(JSON.stringify([...h.rows.values()])).not.toContain('secret of')
  })

  it("the host's own prompt and error page stay; ours come before its prompt", async () => {
    const h = await open()
    h.people.add('newcomer', { groups: ['newcomers'] })
    const b = new Browser(h.issuer)
    await register(h, b, 'newcomer')
    // The host answers its own prompt on a page of its own; here only that it is reached, after registration.
    expect(b.now?.location ?? '').not.toContain('code=')
    const silent = returned(await b.open(authorize(h, { prompt: 'none' })))
    expect(silent).toMatchObject({ error: 'interaction_required' })
    expect(silent['error_description']).toContain('terms')
    const wrong = await b.request(authorize(h, { redirect_uri: 'http://evil.example/' }))
    expect([wrong.status, wrong.html]).toEqual([400, "the host's own error page: invalid_redirect_uri"])
  })

  describe('the directory decides who lives', () => {
    it.each(['removed', 'disabled'] as const)(
      'SE-9: %s in the directory: sessions and tokens are dead',
      async (how) => {
        const h = await open()
        const id = `leaver-${how}`
        h.people.add(id)
        const b = new Browser(h.issuer)
        await register(h, b, id)
        const { access_token } = await tokens(h, b)
        expect(returned(await b.open(authorize(h, { prompt: 'none' })))).toHaveProperty('code')
        if (how === 'removed') h.people.people.delete(id)
        else h.people.add(id, { disabled: true })
        expect(returned(await b.open(authorize(h, { prompt: 'none' })))).toMatchObject({ error: 'login_required' })
        const info = await fetch(`${h.issuer}/me`, { headers: { authorization: `Bearer ${access_token}` } })
        expect(info.status).toBe(401)
        await b.open(authorize(h))
        expect(at(b)).toBe('sign-in')
        await b.submit({ username: id, password: `secret of ${id}`, action: 'continue' })
        expect(at(b)).toBe('sign-in !wrong_password')
      },
    )

    it('signOut: a password that was changed elsewhere ends what was signed in before', async () => {
      const h = await open()
      h.people.add('changed')
      const b = new Browser(h.issuer)
      await register(h, b, 'changed')
      await h.self.signOut('changed')
      expect(returned(await b.open(authorize(h, { prompt: 'none' })))).toMatchObject({ error: 'login_required' })
    })

    it('a name that the directory changes, and a group that makes an administrator, count at once', async () => {
      const h = await open()
      h.people.add('moved')
      const b = new Browser(h.issuer)
      const secret = await register(h, b, 'moved')
      h.people.add('moved', { username: 'renamed', groups: ['admins'] })
      h.clock.tick(30_000)
      const other = new Browser(h.issuer)
      await other.open(authorize(h))
      await other.submit({ username: 'renamed', password: 'secret of moved', action: 'continue' })
      expect(at(other)).toBe('prove totp')
      await other.submit({ code: totpCode(secret, h.clock.now()), action: 'continue' })
      expect((await tokens(h, other)).claims).toMatchObject({ sub: 'moved' })
    })

    it('EN-5, DB-8: a directory that throws is a 503 with a reference, never "nothing registered"', async () => {
      const h = await open()
      h.people.add('faulty')
      const b = new Browser(h.issuer)
      await register(h, b, 'faulty')
      const fresh = new Browser(h.issuer)
      await fresh.open(authorize(h))
      h.people.down = true
      const answers = [
        await fresh.submit({ username: 'faulty', password: 'secret of faulty', action: 'continue' }),
        await b.open(authorize(h)),
      ]
      for (const { status, html, headers, location } of answers) {
        expect(status).toBe(503)
        expect(html).toContain('data-problem="unavailable"')
        expect(html).toMatch(/Reference: \S{8}/)
        expect(headers.get('retry-after')).toMatch(/^\d+$/)
        expect(html).not.toContain('LDAP')
        expect(location).toBeUndefined()
      }
      h.people.down = false
      expect(returned(await b.open(authorize(h)))).toHaveProperty('code')
    })

    it('a directory may say itself when to come back', async () => {
      const h = await open()
      h.people.findByUsername = async () => {
        throw new Unavailable('busy', 'LDAP is busy', { retryAfter: 17 })
      }
      const b = new Browser(h.issuer)
      await b.open(authorize(h))
      await b.submit({ username: 'anybody', password: 'x', action: 'continue' })
      expect([b.now?.status, b.now?.headers.get('retry-after')]).toEqual([503, '17'])
    })
  })
})
