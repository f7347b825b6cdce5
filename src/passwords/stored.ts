// The forms of a stored password hash: ours (bcrypt over a keyed prehash) and plain bcrypt from elsewhere.

/** `prehash` names the key of the prehash; without one it is a hash from elsewhere. `bcrypt` is always `$2b$`. */
export interface StoredHash {
  cost: number
  bcrypt: string
  prehash?: string
}

const OURS = /^\$self1\$([\w-]+)(\$2b\$(\d\d)\$[./0-9A-Za-z]{53})$/
const FOREIGN = /^\$2[aby]\$((\d\d)\$[./0-9A-Za-z]{53})$/

/** bcrypt's own range; outside of it the library clamps in silence. */
const known = (cost: number): boolean => cost >= 4 && cost <= 31

/** `$self1$<key id>$2b$...`: a scheme of its own, so that it is never taken for plain bcrypt. */
export const storedForm = (prehash: string, bcrypt: string): string => `$self1$${prehash}${bcrypt}`

/** Undefined for anything malformed, and for `$2x$`, which marks hashes of a broken implementation. */
export function readStored(text: string): StoredHash | undefined {
  const [, prehash, own, ownCost] = OURS.exec(text) ?? []
  if (prehash !== undefined && own !== undefined && known(Number(ownCost))) {
    return { cost: Number(ownCost), bcrypt: own, prehash }
  }
  const [, rest, cost] = FOREIGN.exec(text) ?? []
  // `$2a$`, `$2b$` and `$2y$` are one algorithm; the library refuses `$2y$`, and wraps passwords of 255 bytes under `$2a$`.
  return rest !== undefined && known(Number(cost)) ? { cost: Number(cost), bcrypt: `$2b$${rest}` } : undefined
}

/** Why a hash from elsewhere cannot be imported: one sentence; undefined when it can. `cost` is the configured one. */
export function importable(hash: string, cost: number): string | undefined {
  const stored = readStored(hash)
  if (!stored || stored.prehash !== undefined) {
    return 'passwordHash is not a bcrypt hash: $2a$, $2b$ or $2y$ with 60 characters is needed'
  }
  if (stored.cost > cost) {
    return `passwordHash has cost ${stored.cost}, above the configured ${cost}: raise password.cost or leave the hash out`
  }
  return undefined
}
