// Accounts written directly to the store, registered in full, so that a sign-in asks for password and code and no more.
import { newAccount } from '../../src/domain/accounts.ts'
import { opaqueId, usernameKey } from '../../src/domain/codes.ts'
import type { Keys } from '../../src/domain/keys.ts'
import type { Policy } from '../../src/domain/policy.ts'
import type { Chance, Store } from '../../src/domain/ports.ts'
import { vaultFor } from '../../src/domain/seal.ts'
import type { Account, Credential } from '../../src/domain/types.ts'
import { recoveryCodes } from '../../src/methods/recovery-codes/index.ts'
import { totp } from '../../src/methods/totp/index.ts'
import { createGate } from '../../src/passwords/gate.ts'
import { createPasswords } from '../../src/passwords/hash.ts'

export const PASSWORD = 'a horse that runs 10,000 miles'

/** The product's defaults. */
export const policy: Policy = {
  registration: { required: true, scope: 'all', groups: [], trustGate: 'email', grace: { skips: 0, snoozeDays: 0 } },
  mfa: { required: true, methods: ['totp', 'recovery-codes'] },
  reset: { scope: 'all', groups: [], gates: 2, methods: ['totp', 'email', 'recovery-codes'], unlock: true },
  password: { banned: [] },
  notify: { user: true, admins: true },
  admins: { groups: ['admins'] },
}

export interface Person {
  username: string
  /** Base32, of the authenticator app. */
  secret: string
  recoveryCode: string
}

/** RFC 4648 alphabet: any 32 letters of it are a secret of 160 bits. */
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
/** Of recovery codes, 24 of them. */
const unambiguous = 'ABCDEFGHJKMNPQRSTVWXYZ23456789'

/**
 * One account each sign-in, so that no code is used twice. They share one hash: making it costs what it measures.
 * `newcomers` have registered nothing.
 */
export async function addPeople(
  to: { store: Store; keys: Keys; chance: Chance; cost: number },
  count: number,
  { newcomers = false } = {},
): Promise<Person[]> {
  const { store, keys, chance, cost } = to
  const hash = await createPasswords({ keys: keys.prehash, cost, pool: createGate({ atOnce: 1 }) }).hash(PASSWORD)
  const people: Person[] = []
  for (let made = 0; made < count; made++) {
    const person = {
      username: `user-${opaqueId(chance)}`,
      secret: Array.from(chance.random(32), (byte) => letters[byte % 32]).join(''),
      recoveryCode: Array.from(chance.random(24), (byte) => unambiguous[byte % 30]).join(''),
    }
    const account = registered({ keys, chance, hash }, person)
    if (newcomers) account.credentials = []
    if (!(await store.accounts.insert(account))) throw new Error('a name was drawn twice')
    people.push(person)
  }
  return people
}

function registered(
  with_: { keys: Keys; chance: Chance; hash: string },
  { username, secret, recoveryCode }: Person,
): Account {
  const { keys, chance, hash } = with_
  const at = chance.now()
  const id = opaqueId(chance)
  const vault = vaultFor(keys, id)
  const app = totp.importRow?.({ secret, label: 'Phone' }, { vault, chance })
  if (!app || typeof app === 'string') throw new Error(`no authenticator app: ${app}`)
  const other = (method: string, data: unknown): Credential => {
    return { id: opaqueId(chance), method, label: '', addedAt: at, data }
  }
  const address = `${username}@example.org`
  const texts = [recoveryCode, ...Array.from({ length: 9 }, () => opaqueId(chance))]
  const codes = texts.map((text) => ({ digest: vault.digest(text, recoveryCodes.id) }))
  return {
    ...newAccount(id, at),
    username,
    usernameKey: usernameKey(username),
    email: address,
    emailVerified: true,
    password: { hash, changedAt: at },
    credentials: [app, other('email', { address }), other(recoveryCodes.id, { codes })],
  }
}
