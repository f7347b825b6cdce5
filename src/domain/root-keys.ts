// Reads SELF_SERVICE_KEYS and refuses what is no random key.

/** The keys given do not fit; the sentence says what to do. Refuse to start with it (OP-1). */
export class KeysUnusable extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'KeysUnusable'
  }
}

const KEY_BYTES = 32
const NAME = 'SELF_SERVICE_KEYS'
const FIX = 'make one with: node -p "crypto.randomBytes(32).toString(\'base64\')"'

const refuse = (place: number, what: string): never => {
  throw new KeysUnusable(`${NAME}: key ${place} ${what}; ${FIX}`)
}

/** Patterns that no generator makes: 32 random bytes have fewer than 16 different ones less than once in 2^60. */
const isPattern = (key: Buffer): boolean => {
  const steps = new Set([...key].map((byte, index) => (byte - (key[index - 1] ?? byte) + 256) % 256).slice(1))
  return new Set(key).size < 16 || steps.size < 4
}

/** A pass phrase or the example of a manual, in base64. By chance: less than once in 2^45. */
const isText = (key: Buffer): boolean => key.every((byte) => byte >= 0x20 && byte < 0x7f)

function rootKey(text: string, place: number): Buffer {
  const plain = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  const key = Buffer.from(plain, 'base64')
  if (key.toString('base64').replace(/=+$/, '') !== plain) refuse(place, 'is not base64')
  if (key.length < KEY_BYTES) refuse(place, `is too short (${key.length} bytes, 32 are needed)`)
  if (key.length > KEY_BYTES) refuse(place, `is too long (${key.length} bytes, 32 are needed)`)
  if (isPattern(key)) refuse(place, 'is a sample or a pattern, not random')
  if (isText(key)) refuse(place, 'is text, not random bytes')
  return key
}

/**
 * Comma-separated base64 (or base64url) of 32 random bytes each; the first seals, all open.
 * @throws KeysUnusable with one sentence that names the variable, the key's place and the fix. Never shows the key.
 */
export function parseRootKeys(text: string): Buffer[] {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.every((part) => part === '')) throw new KeysUnusable(`${NAME} is empty: ${FIX}`)
  const keys = parts.map((part, index) => rootKey(part, index + 1))
  const seen = new Set(keys.map((key) => key.toString('base64')))
  if (seen.size < keys.length) throw new KeysUnusable(`${NAME} holds the same key twice: remove one`)
  return keys
}
