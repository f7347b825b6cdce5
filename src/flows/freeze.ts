// "This was not me": changes to security info and password wait for a proof by credentials older than the change.
import type { Account } from '../domain/types.ts'
import type { Facts } from './flow.ts'

/** Proven in this flow, by a credential that was there before what the owner denied. */
const older = (facts: Facts, account: Account): boolean =>
  account.frozen !== undefined &&
  facts.record.evidence.some(({ kind, credential }) => {
    const held = account.credentials.find(({ id }) => id === credential)
    return (kind === 'proof' || kind === 'gate') && held !== undefined && held.addedAt < (account.frozen?.at ?? 0)
  })

export const frozen = (facts: Facts, account: Account): boolean =>
  account.frozen !== undefined && !older(facts, account)

/** The account without the freeze, when the flow has what thaws it. */
export function thawed(facts: Facts, account: Account): Account {
  if (!account.frozen || !older(facts, account)) return account
  const { frozen: _gone, ...rest } = account
  return rest
}
