// Who somebody is: name, address, groups. Never what they prove it with.
import type { Account } from '../domain/types.ts'
import { type Act, type Acting, done, told } from './act.ts'

/** What `users update` changes. `null` takes a value away; absent leaves it. */
export interface Wishes {
  username?: { shown: string; key: string }
  name?: string | null
  email?: string | null
  /** The administrator vouches for the address. */
  verified: boolean
  join: readonly string[]
  leave: readonly string[]
}

const facts = ({ username, name, email, emailVerified, groups }: Account) => ({
  username,
  name: name ?? null,
  email: email ?? null,
  emailVerified,
  groups,
})

export const update =
  (acting: Acting, { username, name, email, verified, join, leave }: Wishes): Act =>
  (account) => {
    const { name: oldName, email: oldEmail, ...rest } = account
    const newName = name === undefined ? oldName : (name ?? undefined)
    const newEmail = email === undefined ? oldEmail : (email ?? undefined)
    if (verified && newEmail === undefined) return { refused: 'has no mail address to vouch for' }
    const next: Account = {
      ...rest,
      ...(username && { username: username.shown, usernameKey: username.key }),
      ...(newName !== undefined && { name: newName }),
      ...(newEmail !== undefined && { email: newEmail }),
      // Nobody vouched for a new address yet: a code mailed there would prove nothing about the account's owner.
      emailVerified: verified || (account.emailVerified && newEmail === oldEmail),
      ...(oldEmail !== undefined && newEmail !== oldEmail && withoutAddress(account, oldEmail)),
      groups: [...new Set([...account.groups, ...join])].filter((group) => !leave.includes(group)),
    }
    const [from, to] = [facts(account), facts(next)]
    const changes = (Object.keys(from) as (keyof typeof from)[])
      .filter((field) => JSON.stringify(from[field]) !== JSON.stringify(to[field]))
      .map((field) => ({ field, from: from[field], to: to[field] }))
    if (changes.length === 0) return { unchanged: 'is so already' }
    return done(next, told(acting, account, 'account.updated', { changes }))
  }

/** A mailbox that was replaced, lost or taken over opens nothing any more: what it proved goes, and so do open flows. */
const withoutAddress = (account: Account, address: string): Pick<Account, 'credentials' | 'epoch'> => ({
  credentials: account.credentials.filter(({ data }) => (data as { address?: unknown } | null)?.address !== address),
  epoch: account.epoch + 1,
})
