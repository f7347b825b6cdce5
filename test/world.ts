// One line gives a provider with self-service, a relying party, browsers, a mailbox and a clock.
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Configuration, Provider } from 'oidc-provider'
import { opaqueId, usernameKey } from '../src/domain/codes.ts'
import { newAccount } from '../src/domain/accounts.ts'
import type { Policy } from '../src/domain/policy.ts'
import type { Chance, Directory, Store } from '../src/domain/ports.ts'
import type { Account } from '../src/domain/types.ts'
import { totpCode } from './authenticator.ts'
import { type SelfService, type SelfServiceOptions, selfService } from '../src/plugin.ts'
import { createOutbox, type Outbox } from '../src/senders/outbox.ts'
import { sqliteStore } from '../src/stores/sqlite/index.ts'
import { Browser, type Response } from './browser.ts'

export const defaultPolicy: Policy = {
  registration: { required: true, scope: 'all', groups: [], trustGate: 'email', grace: { skips: 0, snoozeDays: 0 } },
  mfa: { required: true, methods: ['totp', 'recovery-codes'] },
  reset: { scope: 'all', groups: [], gates: 2, methods: ['totp', 'email', 'recovery-codes'], unlock: true },
  password: { banned: [] },
  notify: { user: true, admins: true },
  admins: { groups: ['admins'] },
}

/** Real randomness, and a clock that only moves when it is told to. It starts now, because the provider's own clock is the real one. */
export interface Clock extends Chance {
  tick(milliseconds: number): void
}
export function clock(): Clock {
  let ahead = 0
  return { now: () => Date.now() + ahead, random: (bytes) => randomBytes(bytes), tick: (by) => void (ahead += by) }
}

export const RP = 'http://rp.example'
const client = {
  client_id: 'rp',
  client_secret: 'rp-secret',
  redirect_uris: [`${RP}/cb`],
  post_logout_redirect_uris: [RP],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  response_types: ['code', 'none'],
} as const

export interface World {
  issuer: string
  provider: Provider
  self: SelfService
  store: Store
  outbox: Outbox
  clock: Clock
  policy: Policy
  browser(): Browser
  /** An account with the password `correct horse <username>`, an address on file and nothing registered. */
  add(username: string, more?: Partial<Account>): Promise<Account>
  account(username: string): Promise<Account>
  /** The code of the last mail to that address, once so many arrived. */
  code(to: string, mails?: number): Promise<string>
  authorize(more?: Record<string, string>): string
  exchange(response: Response): Promise<Tokens>
  close(): Promise<void>
}

export interface Tokens {
  status: number
  error?: string
  access_token?: string
  refresh_token?: string
  id_token?: string
  claims: Record<string, unknown>
}

export const verifier = 'a-code-verifier-of-more-than-forty-three-characters'
const challenge = createHash('sha256').update(verifier).digest('base64url')

export const passwordOf = (username: string): string => `correct horse ${username}`

export interface WorldOptions {
  store?: Store
  policy?: Policy
  directory?: Directory
  host?: Configuration
  clients?: Configuration['clients']
  options?: Partial<SelfServiceOptions>
  keys?: readonly Buffer[]
  clock?: Clock
  /** Behind somebody else's server, which passes requests on to `provider.callback()`: nothing listens here. */
  issuer?: string
  /** Further connections to the same database: each gets a process of its own behind the same issuer, asked in turn. */
  peers?: readonly Store[]
}

/** Root keys of every test world: fixed, so that two worlds can share one store. */
export const rootKeys = [createHash('sha256').update('root key of the tests').digest()]

const cost = 4

export async function world(setup: WorldOptions = {}): Promise<World> {
  const server: Server = createServer()
  if (!setup.issuer) await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const issuer = setup.issuer ?? `http://localhost:${(server.address() as AddressInfo).port}`
  const time = setup.clock ?? clock()
  const store = setup.store ?? (await sqliteStore(':memory:'))
  const outbox = createOutbox({ chance: time })
  const policy = structuredClone(setup.policy ?? defaultPolicy)
  async function start(over: Store): Promise<{ self: SelfService; provider: Provider }> {
    const self = await selfService({
      issuer,
      store: over,
      keys: setup.keys ?? rootKeys,
      mailer: outbox,
      policy,
      service: { name: 'Example' },
      passwordCost: cost,
      firstParty: () => true,
      chance: time,
      ...(setup.directory && { directory: setup.directory }),
      ...setup.options,
    })
    const provider = new Provider(
      issuer,
      self.configure({
        clients: setup.clients ?? [client],
        ...setup.host,
        features: {
          deviceFlow: { enabled: true },
          introspection: { enabled: true, allowedPolicy: async () => true },
          revocation: { enabled: true },
          pushedAuthorizationRequests: { enabled: true },
          ...setup.host?.features,
        } as NonNullable<Configuration['features']>,
      }),
    )
    self.mount(provider)
    return { self, provider }
  }
  const { self, provider } = await start(store)
  const others: { self: SelfService; provider: Provider }[] = []
  for (const peer of setup.peers ?? []) others.push(await start(peer))
  let processes: ReturnType<Provider['callback']>[] | undefined
  let turn = 0
  server.on('request', (request, response) => {
    // At the first request: a test may still add routes of its own before.
    processes ??= [provider, ...others.map((one) => one.provider)].map((one) => one.callback())
    void processes[turn++ % processes.length]?.(request, response)
  })

  const basic = { authorization: `Basic ${Buffer.from('rp:rp-secret').toString('base64')}` }
  return {
    issuer,
    provider,
    self,
    store,
    outbox,
    clock: time,
    policy,
    browser: () => new Browser(issuer),
    async add(username, more = {}) {
      const { createPasswords } = await import('../src/passwords/hash.ts')
      const { createGate } = await import('../src/passwords/gate.ts')
      const passwords = createPasswords({ keys: self.keys.prehash, cost, pool: createGate({ atOnce: 4 }) })
      const account: Account = {
        ...newAccount(opaqueId(time), time.now()),
        username,
        usernameKey: usernameKey(username),
        email: `${username}@example.org`,
        emailVerified: true,
        password: { hash: await passwords.hash(passwordOf(username)), changedAt: time.now() },
        ...more,
      }
      if (!(await store.accounts.insert(account))) throw new Error(`${username} is taken`)
      return account
    },
    async account(username) {
      const account = await store.accounts.findByUsernameKey(usernameKey(username))
      if (!account) throw new Error(`no account ${username}`)
      return account
    },
    async code(to, mails = 1) {
      // Mails leave after the response; the store may be another process.
      const giveUp = Date.now() + 10_000
      while (Date.now() < giveUp) {
        const arrived = outbox.mails().filter((one) => one.to === to)
        const found = /\b(\d{4}\s?\d{4})\b/.exec(arrived.at(-1)?.text ?? '')?.[1]
        if (found && arrived.length >= mails) return found.replace(/\s/g, '')
        await new Promise((done) => setTimeout(done, 2))
      }
      throw new Error(`no mail for ${to}`)
    },
    authorize: (more = {}) =>
      `${issuer}/auth?${new URLSearchParams({
        client_id: 'rp',
        response_type: 'code',
        scope: 'openid profile email',
        redirect_uri: `${RP}/cb`,
        state: 'state',
        nonce: 'nonce',
        code_challenge: challenge,
        code_challenge_method: 'S256',
        ...more,
      })}`,
    async exchange(response) {
      const code = new URL(response.location ?? 'http://none').searchParams.get('code') ?? ''
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { ...basic, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code,
          redirect_uri: `${RP}/cb`,
          code_verifier: verifier,
        }),
      })
      const tokens = (await answer.json()) as Tokens
      const claims = tokens.id_token
        ? JSON.parse(Buffer.from(tokens.id_token.split('.')[1] ?? '', 'base64url').toString())
        : {}
      return { ...tokens, status: answer.status, claims }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      await Promise.all([self, ...others.map((one) => one.self)].map((one) => one.close()))
      if (!setup.store) await store.close()
    },
  }
}

export interface Registered {
  response: Response
  secret: string
  recoveryCodes: string[]
}

/** The whole forced registration, from the sign-in page to the relying party's callback. */
export async function register(
  w: World,
  b: Browser,
  username: string,
  authorize: Record<string, string> = {},
): Promise<Registered> {
  await b.open(w.authorize(authorize))
  await b.submit({ username, password: passwordOf(username), action: 'continue' })
  await b.submit({ action: 'continue' })
  await b.submit({ code: await w.code(`${username}@example.org`), action: 'continue' })
  const { secret } = b
  await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
  const { recoveryCodes } = b
  await b.submit({ acknowledged: 'yes', action: 'continue' })
  const response = await b.submit({ action: 'continue' })
  return { response, secret, recoveryCodes }
}

/** Password and a fresh code of the authenticator; the clock moves one step so that no code is used twice. */
export async function signIn(
  w: World,
  b: Browser,
  username: string,
  secret: string,
  authorize: Record<string, string> = {},
): Promise<Response> {
  w.clock.tick(30_000)
  await b.open(w.authorize(authorize))
  await b.submit({ username, password: passwordOf(username), action: 'continue' })
  return b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
}
