// What credentials that nobody holds have in common: they are the same each time, and known to nobody without our keys.
import { createHash } from 'node:crypto'
import type { Vault } from './method.ts'

/** The ids of made-up credentials. No real one has such an id, so a proof by one can be told wherever it turns up. */
export const decoyId = (method: string): string => `decoy:${method}`

/** A keyed digest that no typed text has: made for a field in which nothing is looked up. */
export const decoyDigest = (vault: Vault, method: string, what: string): string => vault.digest(what, `${method}:decoy`)

/** 32 bytes, stable for one account. */
export const decoyBytes = (vault: Vault, method: string, what: string): Buffer =>
  createHash('sha256')
    .update(decoyDigest(vault, method, what))
    .digest()
