// An account that is no more.
import { newAccount } from '../domain/accounts.ts'
import type { Account } from '../domain/types.ts'
import { type Act, type Acting, done, told } from './act.ts'

const deletedKey = (id: string): string => `deleted:${id}`

/** Deleted, and not yet removed from the store: its event is on the way to the trail. */
export const isDeleted = ({ id, usernameKey }: Account): boolean => usernameKey === deletedKey(id)

/**
 * Nothing is left but the id, which is never given out again, and the event. The name is free at once; an account that
 * takes it has another id, so it inherits no session, no budget and no credential. The store drops the rest afterwards.
 */
export const erase =
  (acting: Acting): Act =>
  (account) => {
    if (isDeleted(account)) return { unchanged: 'is deleted' }
    const { id, version, epoch, outbox, addedAt } = account
    const empty = { ...newAccount(id, addedAt), version, outbox, epoch: epoch + 1, disabled: true }
    const detail = { username: account.username }
    return done({ ...empty, usernameKey: deletedKey(id) }, told(acting, account, 'account.deleted', detail))
  }
