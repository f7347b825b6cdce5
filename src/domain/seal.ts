// Seals what must be read back and digests what must only be compared, each bound to where it belongs.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import { Unavailable } from './problems.ts'

/** 32 bytes under a name. The name stands in front of everything made with it, so that keys can be changed one by one. */
export interface NamedKey {
  /** Letters, digits, `-` and `_` only. */
  id: string
  key: Buffer
}

/** The first key seals and digests; all of them open and compare. */
export type KeyRing = readonly [NamedKey, ...NamedKey[]]

/** What a value belongs to: account, field, ... A value made for another context does not open. */
export type Context = readonly string[]

/** Seals, opens and digests, bound to one account; `field` binds further. Throws `SealBroken`. */
export interface Vault {
  /** AES-256-GCM with the key's id in front. */
  seal(text: string, field: string): string
  open(sealed: string, field: string): string
  /** Keyed digest, for what only has to be compared. */
  digest(text: string, field: string): string
  /** Constant-time comparison of a text with a keyed digest. */
  matches(text: string, digest: string, field: string): boolean
}

/** A stored value cannot be read: key gone, moved or changed. It never means "there is none" (EN-5), so it answers 503. */
export class SealBroken extends Unavailable {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('unavailable', message, options)
    this.name = 'SealBroken'
  }
}

const VERSION = 'v1'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Bytes of strict base64url: a second spelling of the same bytes is refused. */
function bytesOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw new SealBroken('a sealed value is not base64url')
  return bytes
}

const keyNamed = (ring: KeyRing, id: string): NamedKey => {
  const found = ring.find((key) => key.id === id)
  if (!found) throw new SealBroken(`a stored value was made with the key ${JSON.stringify(id)}, which is not loaded`)
  return found
}

const prepared = new WeakMap<Buffer, KeyObject>()

/** As node:crypto works with it: preparing it takes several times as long as a seal or a digest, so it is done once. */
function secretOf({ key }: NamedKey): KeyObject {
  const secret = prepared.get(key) ?? createSecretKey(key)
  prepared.set(key, secret)
  return secret
}

/** JSON keeps parts apart: ["a","bc"] is not ["ab","c"]. */
const bound = (keyId: string, context: Context): Buffer => Buffer.from(JSON.stringify([VERSION, keyId, ...context]))

/** `v1.<key id>.<nonce>.<ciphertext>.<tag>`. Version, key id and context are authenticated (SC-2). */
export function seal(ring: KeyRing, text: string, context: Context): string {
  const [named] = ring
  const { id } = named
  // Straight from node:crypto: a repeated nonce breaks GCM, so no clock or chance that is handed in may choose it.
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', secretOf(named), nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(bound(id, context))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return [VERSION, id, ...[nonce, sealed, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.')
}

/** @throws SealBroken for an unknown key, another context, and anything that was changed. */
export function open(ring: KeyRing, sealed: string, context: Context): string {
  const [version, id = '', ...parts] = sealed.split('.')
  const [nonce, text, tag] = parts.map(bytesOf)
  if (version !== VERSION || !nonce || !text || !tag || parts.length > 3) {
    throw new SealBroken('a sealed value has an unknown form')
  }
  const named = keyNamed(ring, id)
  if (nonce.length !== NONCE_BYTES || tag.length !== TAG_BYTES) throw new SealBroken('a sealed value was cut')
  const decipher = createDecipheriv('aes-256-gcm', secretOf(named), nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(bound(id, context))
  decipher.setAuthTag(tag)
  try {
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8')
  } catch (cause) {
    throw new SealBroken('a sealed value was changed or belongs elsewhere', { cause })
  }
}

const mac = (named: NamedKey, text: string, context: Context): Buffer =>
  createHmac('sha256', secretOf(named))
    .update(JSON.stringify([VERSION, named.id, ...context, text]))
    .digest()

/** HMAC-SHA-256 as `<key id>.<digest>`. */
export const digest = (ring: KeyRing, text: string, context: Context): string =>
  `${ring[0].id}.${mac(ring[0], text, context).toString('base64url')}`

/** Constant time (SC-5). @throws SealBroken when the digest's key is not loaded: that is no wrong guess. */
export function matches(ring: KeyRing, text: string, stored: string, context: Context): boolean {
  const [id = '', value = '', ...rest] = stored.split('.')
  const expected = mac(keyNamed(ring, id), text, context)
  const given = bytesOf(value)
  if (rest.length > 0 || given.length !== expected.length) throw new SealBroken('a keyed digest has an unknown form')
  return timingSafeEqual(given, expected)
}

/** A vault that opens nothing of any other account (TO-7). */
export const vaultFor = (keys: { seal: KeyRing; digest: KeyRing }, accountId: string): Vault => ({
  seal: (text, field) => seal(keys.seal, text, ['account', accountId, field]),
  open: (sealed, field) => open(keys.seal, sealed, ['account', accountId, field]),
  digest: (text, field) => digest(keys.digest, text, ['account', accountId, field]),
  matches: (text, stored, field) => matches(keys.digest, text, stored, ['account', accountId, field]),
})
