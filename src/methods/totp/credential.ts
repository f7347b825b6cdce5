// An authenticator app as it is kept: the sealed secret and the last step that was used.
import { opaqueId } from '../../domain/codes.ts'
import type { Account, Credential, Time } from '../../domain/types.ts'
import type { Change, Turn, Vault } from '../method.ts'
import { base32, firstOf, fromBase32 } from './oath.ts'

export const ID = 'totp'
export const AT_MOST = 5

export interface Authenticator {
  /** Base32, sealed for this account and this credential. */
  sealed: string
  /** Codes of this step and earlier ones are used (RFC 6238 5.2: one use). It never falls, whatever the clock does. */
  lastStep: number
}

const field = (credential: string): string => `${ID}:${credential}`

export const sealedSecret = (vault: Vault, credential: string, secret: Buffer): string =>
  vault.seal(base32(secret), field(credential))

/** @throws SealBroken: an unreadable secret is not "no authenticator" (EN-5). */
export function secretOf(vault: Vault, { id, data }: Credential<Authenticator>): Buffer {
  const secret = fromBase32(vault.open(data.sealed, field(id)))
  if (!secret) throw new Error('a sealed secret is no base32')
  return secret
}

export const isAuthenticator = (credential: Credential): credential is Credential<Authenticator> =>
  credential.method === ID

/** Spends one step of one authenticator; judged on the account as it is when it is written (TO-3). */
export const spendStep =
  (id: string, step: number, at: Time): Change =>
  (account) => {
    const credential = account.credentials.find((one) => one.id === id)
    if (!credential || credential.disabled || !isAuthenticator(credential)) return { problem: 'account_changed' }
    if (step <= credential.data.lastStep) return { problem: 'code_used' }
    const spent = { ...credential, lastUsedAt: at, data: { ...credential.data, lastStep: step } }
    return { ...account, credentials: account.credentials.map((one) => (one.id === id ? spent : one)) }
  }

/** Too many wrong codes in a row (NIST SP 800-63B-4 3.2.2). Disabled ones still count as factors. */
export const disableAll = (account: Account): Account => ({
  ...account,
  credentials: account.credentials.map((one) => (isAuthenticator(one) ? { ...one, disabled: true } : one)),
})

/** As long as a page shows it in one line. */
export const labelOf = (text: unknown): string =>
  typeof text === 'string'
    ? firstOf(
        text
          .toWellFormed()
          .replace(/\p{Cc}/gu, ' ')
          .trim(),
        64,
      )
    : ''

/** Secrets of other systems: the 80 bits that many of them made are taken, less is not. */
const IMPORT_BYTES = { least: 10, most: 128 }

/** `{ secret, label }` of an import; the sentence never holds the secret. */
export function importTotp(value: unknown, { vault, chance }: Pick<Turn, 'vault' | 'chance'>): Credential | string {
  const row: { secret?: unknown; label?: unknown } = typeof value === 'object' && value !== null ? value : {}
  const secret = typeof row.secret === 'string' ? fromBase32(row.secret) : undefined
  if (!secret) return `${ID}: secret is not base32`
  if (secret.length < IMPORT_BYTES.least) return `${ID}: secret is shorter than ${IMPORT_BYTES.least * 8} bits`
  if (secret.length > IMPORT_BYTES.most) return `${ID}: secret is longer than ${IMPORT_BYTES.most * 8} bits`
  const id = opaqueId(chance)
  const data: Authenticator = { sealed: sealedSecret(vault, id, secret), lastStep: 0 }
  return { id, method: ID, label: labelOf(row.label), addedAt: chance.now(), data }
}
