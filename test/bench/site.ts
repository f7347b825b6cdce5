// A provider to measure: ours, or the bare oidc-provider with its development interactions, on the same adapter.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Configuration, Provider } from 'oidc-provider'
import { type Keys, loadKeys } from '../../src/domain/keys.ts'
import type { Chance, Store } from '../../src/domain/ports.ts'
import { storeAdapter } from '../../src/oidc/adapter.ts'
import { type SelfService, selfService } from '../../src/plugin.ts'
import { createOutbox, type Outbox } from '../../src/senders/outbox.ts'
import { policy } from './people.ts'

export const CALLBACK = 'http://rp.example/cb'

export const clients = [
  {
    client_id: 'rp',
    token_endpoint_auth_method: 'none',
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  },
] as const satisfies Configuration['clients']

/** Of RFC 7636, appendix B. */
export const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'

export const authorize = `/auth?${new URLSearchParams({
  client_id: 'rp',
  response_type: 'code',
  scope: 'openid profile email',
  redirect_uri: CALLBACK,
  state: 'state',
  nonce: 'nonce',
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256',
})}`

export interface Site {
  issuer: string
  keys: Keys
  close(): Promise<void>
}

export interface OurSite extends Site {
  self: SelfService
  outbox: Outbox
}

export interface SiteOptions {
  store: Store
  roots: readonly Buffer[]
  chance: Chance
  /** bcrypt's. */
  cost: number
}

/** Listens first: the issuer holds the port. */
async function open(provide: (issuer: string) => Promise<{ provider: Provider; close?: () => Promise<void> }>) {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { provider, close } = await provide(issuer)
  const answer = provider.callback()
  server.on('request', (request, response) => void answer(request, response))
  return {
    issuer,
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      await close?.()
    },
  }
}

export async function ourSite({ store, roots, chance, cost }: SiteOptions): Promise<OurSite> {
  const outbox = createOutbox({ chance })
  let self: SelfService | undefined
  const site = await open(async (issuer) => {
    const made = await selfService({
      issuer,
      store,
      keys: roots,
      mailer: outbox,
      policy,
      passwordCost: cost,
      proxyHops: 1,
      firstParty: () => true,
      chance,
    })
    self = made
    const provider = new Provider(issuer, made.configure({ clients: [...clients] }))
    made.mount(provider)
    return { provider, close: () => made.close() }
  })
  if (!self) throw new Error('nothing was opened')
  return { ...site, self, keys: self.keys, outbox }
}

/** Any name and password sign in here, and it hashes nothing. */
export async function bareSite({ store, roots, chance }: SiteOptions): Promise<Site> {
  const keys = await loadKeys(store.claims, roots, chance)
  const site = await open(async (issuer) => ({
    provider: new Provider(issuer, bareConfiguration(keys, storeAdapter(store.rows, keys, chance))),
  }))
  return { ...site, keys }
}

const bareConfiguration = (keys: Keys, adapter: NonNullable<Configuration['adapter']>): Configuration => ({
  clients: [...clients],
  adapter,
  jwks: keys.jwks,
  cookies: { keys: [...keys.cookies] },
  claims: { profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  findAccount: async (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
})
