// What an administrator may do to an account: pure, judged anew at each try, one event for each act. None of it knows or
// chooses a password, and none adds a factor (CH-8).
import type { Account, AuditEvent, EventKind, Time } from '../domain/types.ts'

/** Who acts, and when. */
export interface Acting {
  actor: string
  at: Time
  /** A new id for an event. */
  id(): string
}

/** `refused` and `unchanged` end the sentence that begins with the account's name. */
export type Outcome = { account: Account; events: readonly AuditEvent[] } | { refused: string } | { unchanged: string }
export type Act = (account: Account) => Outcome

export const done = (account: Account, ...events: AuditEvent[]): Outcome => ({ account, events })

export const told = (acting: Acting, { id }: Account, kind: EventKind, detail?: AuditEvent['detail']): AuditEvent => ({
  id: acting.id(),
  kind,
  outcome: 'success',
  at: acting.at,
  accountId: id,
  actor: acting.actor,
  ...(detail !== undefined && { detail }),
})

/** Everything signed in, remembered or half way ends with the old epoch. */
export const signedOut = (account: Account): Account => ({ ...account, epoch: account.epoch + 1 })
