// Root keys come from the environment and only seal data keys; data keys are made once, for all processes, and outlive them.
import { createHash, createHmac, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { Chance, ClaimStore } from './ports.ts'
import { KeysUnusable } from './root-keys.ts'
import { type KeyRing, open, seal } from './seal.ts'

export { KeysUnusable, parseRootKeys } from './root-keys.ts'

/** A private signing key of the provider, with `kid`, `alg` and `use`. */
export type SigningKey = JsonWebKey & { kid: string; alg: 'RS256' | 'ES256'; use: 'sig' }

export interface Keys {
  /** Seals what must be read back. */
  seal: KeyRing
  /** Keyed digests. */
  digest: KeyRing
  /** The keyed hash in front of bcrypt. */
  prehash: KeyRing
  /** For signed cookies; the first signs. */
  cookies: readonly [string, ...string[]]
  /** The provider's private key set: RS256 first, then ES256. */
  jwks: { keys: SigningKey[] }
}

const CLAIM = 'data-keys'
const CONTEXT = ['data-keys']
const KEY_BYTES = 32

type Written = { id: string; key: string }
interface Stored {
  seal: Written[]
  digest: Written[]
  prehash: Written[]
  cookies: string[]
  signing: SigningKey[]
}

const ringOf = (written: readonly Written[]): KeyRing => {
  const [first, ...rest] = written.map(({ id, key }) => ({ id, key: Buffer.from(key, 'base64url') }))
  if (!first) throw new KeysUnusable('The data keys in the store are empty: restore them from a backup.')
  return [first, ...rest]
}

/** The key's own digest is its name, so the order in the environment may change. */
const rootRing = (roots: readonly Buffer[]): KeyRing => {
  const [first, ...rest] = roots.map((key) => ({
    id: createHmac('sha256', key).update('root key id').digest('base64url').slice(0, 8),
    key,
  }))
  if (!first) throw new KeysUnusable('SELF_SERVICE_KEYS is empty: give at least one key of 32 random bytes in base64.')
  return [first, ...rest]
}

const pair = promisify(generateKeyPair)

/** RFC 7638. */
const thumbprint = ({ crv, e, kty, n, x, y }: JsonWebKey): string => {
  const required = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y }
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url')
}

const signingKey = (key: KeyObject, alg: SigningKey['alg']): SigningKey => {
  const jwk = key.export({ format: 'jwk' })
  return { ...jwk, kid: thumbprint(jwk), alg, use: 'sig' }
}

async function makeKeys(chance: Chance): Promise<Stored> {
  const fresh = (): Written[] => [
    { id: chance.random(6).toString('base64url'), key: chance.random(KEY_BYTES).toString('base64url') },
  ]
  const [rsa, ec] = await Promise.all([pair('rsa', { modulusLength: 2048 }), pair('ec', { namedCurve: 'P-256' })])
  return {
    seal: fresh(),
    digest: fresh(),
    prehash: fresh(),
    cookies: [chance.random(KEY_BYTES).toString('base64url')],
    signing: [signingKey(rsa.privateKey, 'RS256'), signingKey(ec.privateKey, 'ES256')],
  }
}

/** What stands in the store, opened. @throws KeysUnusable when no given key opens it, or it was changed. */
function opened(ring: KeyRing, sealed: string): Stored {
  const made = sealed.split('.')[1]
  if (!ring.some((key) => key.id === made)) {
    throw new KeysUnusable(
      `SELF_SERVICE_KEYS does not hold the key that this store was set up with (its name is ${made}): ` +
        'add that key after the new one, separated by a comma, or use the right store.',
    )
  }
  try {
    const stored: Stored = JSON.parse(open(ring, sealed, CONTEXT))
    return stored
  } catch (cause) {
    throw new KeysUnusable(
      'The data keys in the store were changed and cannot be opened with SELF_SERVICE_KEYS: restore the store from a backup.',
      { cause },
    )
  }
}

/**
 * The data keys, the same for every process on this store: one read, and one write only the first time or when the first
 * root key is a new one. `roots`: 32 bytes each; the first seals, all open.
 * @throws KeysUnusable
 */
export async function loadKeys(claims: ClaimStore, roots: readonly Buffer[], chance: Chance): Promise<Keys> {
  const ring = rootRing(roots)
  const found = await claims.find(CLAIM)
  const sealed = found ?? (await claims.claim(CLAIM, seal(ring, JSON.stringify(await makeKeys(chance)), CONTEXT)))
  const stored = opened(ring, sealed)
  if (sealed.split('.')[1] !== ring[0].id) {
    // Another process may be first with this: what is inside stays the same.
    await claims.swap(CLAIM, sealed, seal(ring, JSON.stringify(stored), CONTEXT))
  }
  const [cookie, ...cookies] = stored.cookies
  if (cookie === undefined) throw new KeysUnusable('The data keys in the store are empty: restore them from a backup.')
  return {
    seal: ringOf(stored.seal),
    digest: ringOf(stored.digest),
    prehash: ringOf(stored.prehash),
    cookies: [cookie, ...cookies],
    jwks: { keys: stored.signing },
  }
}
