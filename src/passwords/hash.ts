// Hashes and verifies passwords: bcrypt over a keyed prehash, at a cost that a failure never undercuts.
import { createHmac } from 'node:crypto'
import bcrypt from 'bcrypt'
import { type KeyRing, type NamedKey, SealBroken } from '../domain/seal.ts'
import type { Gate } from './gate.ts'
import { readStored, type StoredHash, storedForm } from './stored.ts'

export { importable } from './stored.ts'

/** NIST SP 800-63B-4 3.1.1.2 asks for at least 64. */
export const LONGEST = { codePoints: 256, bytes: 4096 } as const

/** Refused without a hash, for every name alike (PW-2). */
export const isAbsurd = (password: string): boolean => Buffer.byteLength(password) > LONGEST.bytes

export interface Passwords {
  /** @throws RangeError above 256 code points. @throws Unavailable('busy') when too many wait. */
  hash(password: string): Promise<string>
  /**
   * `renew`: right, but made elsewhere, at another cost or with an older key. Nothing malformed throws; a failure costs
   * the work of one hash at the configured cost, whatever was stored, and so does a name without a password.
   * @throws SealBroken when the hash was made with a key that is not loaded: that is no wrong password (EN-5).
   */
  verify(password: string, stored: string | undefined): Promise<{ ok: boolean; renew: boolean }>
  /** Pays for one hash and says nothing: for a guess that needs no comparison. */
  dummy(password: string): Promise<void>
}

/** Matches nothing: it is no output of bcrypt for any password that is known. */
const nobody = (cost: number): string => `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(22)}${'.'.repeat(31)}`

/** 256 bits in 44 characters: nothing is cut at bcrypt's 72 bytes, and no NUL ends it early. */
const prehashed = ({ key }: NamedKey, text: string): string => createHmac('sha256', key).update(text).digest('base64')

/** `keys`: of the prehash, the first makes new hashes. `cost`: bcrypt's, 10..15 (tests go lower). */
export function createPasswords(options: { keys: KeyRing; cost: number; pool: Gate }): Passwords {
  const { keys, cost, pool } = options

  const textFor = (stored: StoredHash, normal: string): string => {
    if (stored.prehash === undefined) return normal
    const key = keys.find(({ id }) => id === stored.prehash)
    if (!key) throw new SealBroken(`a password was hashed with the key ${stored.prehash}, which is not loaded`)
    return prehashed(key, normal)
  }

  /** 2^c + (2^c + 2^(c+1) + ... + 2^(C-1)) = 2^C. */
  async function topUp(from: number, text: string): Promise<void> {
    for (let step = from; step < cost; step++) await bcrypt.compare(text, nobody(step))
  }

  const dummy = async (password: string): Promise<void> => {
    if (isAbsurd(password)) return
    const text = prehashed(keys[0], password.normalize('NFC'))
    await pool.run(() => bcrypt.compare(text, nobody(cost)))
  }

  return {
    dummy,
    async hash(password) {
      const normal = password.normalize('NFC')
      if (isAbsurd(password) || Array.from(normal).length > LONGEST.codePoints) {
        throw new RangeError(`a password has at most ${LONGEST.codePoints} characters`)
      }
      const text = prehashed(keys[0], normal)
      return storedForm(keys[0].id, await pool.run(() => bcrypt.hash(text, cost)))
    },
    async verify(password, text) {
      if (isAbsurd(password)) return { ok: false, renew: false }
      const stored = text === undefined ? undefined : readStored(text)
      if (!stored) {
        await dummy(password)
        return { ok: false, renew: false }
      }
      // Once, here and in `hash`: what was typed on another keyboard is the same password (PW-3).
      const candidate = textFor(stored, password.normalize('NFC'))
      const ok = await pool.run(async () => {
        const right = await bcrypt.compare(candidate, stored.bcrypt)
        if (!right) await topUp(stored.cost, candidate)
        return right
      })
      return { ok, renew: ok && (stored.cost !== cost || stored.prehash !== keys[0].id) }
    },
  }
}
