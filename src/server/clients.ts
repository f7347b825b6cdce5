// Relying parties of the configuration, as oidc-provider takes them, and its own judgement of them before the start.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { type AdapterFactory, type ClientMetadata, type Configuration, errors, Provider } from 'oidc-provider'
import { ConfigError } from '../config/finding.ts'
import type { Loaded } from '../config/load.ts'
import { responseTypes } from '../oidc/tokens.ts'

export const clientsOf = ({ clients }: Pick<Loaded, 'clients'>): ClientMetadata[] =>
  Object.entries(clients).map(([id, { metadata }]) => Object.assign({}, metadata, { client_id: id }))

/** What of oidc-provider is switched on: metadata is judged by it. */
export const features: NonNullable<Configuration['features']> = {
  devInteractions: { enabled: false },
  rpInitiatedLogout: { enabled: true },
  backchannelLogout: { enabled: true },
  // Said here, because the provider's own answers come with a notice on standard output, which is for the log's JSON alone.
  revocation: {
    enabled: true,
    async allowedPolicy(_ctx, client, token) {
      if (token.clientId === client.clientId) return true
      if (client.clientAuthMethod === 'none') return false
      throw new errors.InvalidRequest('client is not authorized to revoke the presented token')
    },
  },
  /** A resource server is a confidential client; a public one only sees what is its own (RFC 7662 section 4). */
  introspection: {
    enabled: true,
    allowedPolicy: async (_ctx, client, token) =>
      client.clientAuthMethod !== 'none' || token.clientId === client.clientId,
  },
}

/** Scripts of a relying party read from the origins that it is known by. */
export const sameOriginAsClient: NonNullable<Configuration['clientBasedCORS']> = (ctx, origin, client) =>
  (ctx.oidc.route === 'userinfo' || client.clientAuthMethod === 'none') &&
  (client.redirectUris ?? []).some((uri) => URL.canParse(uri) && new URL(uri).origin === origin && origin !== 'null')

/** Nothing is kept while metadata is judged. */
const nowhere: AdapterFactory = () => ({
  upsert: async () => undefined,
  find: async () => undefined,
  findByUid: async () => undefined,
  findByUserCode: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
})

/** @throws {ConfigError} naming each client that oidc-provider refuses, with its reason. */
export async function checkClients(config: Pick<Loaded, 'issuer' | 'clients' | 'file' | 'lineOf'>): Promise<void> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { privateKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const provider = new Provider(config.issuer, {
    clients: clientsOf(config),
    adapter: nowhere,
    cookies: { keys: [randomBytes(32).toString('base64')] },
    jwks: { keys: [rsa.export({ format: 'jwk' }), privateKey.export({ format: 'jwk' })] },
    features,
    responseTypes,
  })
  const asked = await Promise.all(
    Object.keys(config.clients).map(async (id) => {
      try {
        await provider.Client.find(id)
        return []
      } catch (error) {
        const path = ['clients', id, 'metadata']
        return [{ file: config.file, line: config.lineOf(path), option: path.join('.'), sentence: reason(error) }]
      }
    }),
  )
  const findings = asked.flat()
  if (findings.length > 0) throw new ConfigError(findings)
}

function reason(error: unknown): string {
  const told = typeof error === 'object' && error !== null && 'error_description' in error && error.error_description
  return `was refused (${typeof told === 'string' ? told : String(error)}): change it`
}
