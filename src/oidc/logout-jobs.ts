// What is queued for relying parties of a sign-out: first "this account's sessions ended", then one job for each party.
import { createHash } from 'node:crypto'
import type { MailJob, ProviderRow } from '../domain/ports.ts'
import { type KeyRing, open, seal } from '../domain/seal.ts'
import type { Time } from '../domain/types.ts'
import { payloadOf } from './adapter.ts'

/** How long a relying party may be away. */
const LIFE = 24 * 3_600_000

/** One relying party that had a session of the account. */
export interface Party {
  accountId: string
  clientId: string
  /** As in its ID tokens. */
  sid: string
}

/**
 * Sessions of the account under an epoch older than this are dead. It needs no key and no provider, so every process can
 * write it in the same breath as the epoch; the same account and epoch is the same job.
 */
export const endedJob = (accountId: string, epoch: number, now: Time): MailJob => ({
  id: `ended.${epoch}.${accountId}`,
  sealed: '',
  dueAt: now,
  expiresAt: now + LIFE,
  attempts: 0,
})

export function readEnded(id: string): { epoch: number; accountId: string } | undefined {
  const [, epoch, accountId] = /^ended\.(\d+)\.(.*)$/s.exec(id) ?? []
  return accountId === undefined ? undefined : { epoch: Number(epoch), accountId }
}

const idOf = (...parts: readonly string[]): string =>
  `party.${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`

/** `whole`: the epoch that ended all of the account's sessions at a party that knows no `sid`; it is told once. */
export function partyJob(keys: KeyRing, party: Party, now: Time, whole?: number): MailJob {
  const id = idOf(party.accountId, party.clientId, whole === undefined ? party.sid : `epoch ${whole}`)
  const sealed = seal(keys, JSON.stringify(party), ['logout', id])
  return { id, sealed, dueAt: now, expiresAt: now + LIFE, attempts: 0 }
}

export const readParty = (keys: KeyRing, { id, sealed }: MailJob): Party =>
  JSON.parse(open(keys, sealed, ['logout', id])) as Party

/** The relying parties of a session, from its row as it lies in the store: the provider no longer shows it. */
export function partiesOf(keys: KeyRing, accountId: string, row: ProviderRow): Party[] {
  const { authorizations = {} } = payloadOf('Session', row, keys) as {
    authorizations?: Record<string, { sid?: unknown }>
  }
  return Object.entries(authorizations).flatMap(([clientId, { sid }]) =>
    typeof sid === 'string' ? [{ accountId, clientId, sid }] : [],
  )
}
