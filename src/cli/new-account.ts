// One row of an import, or the answers of `users add`, as an account; or why not, in one sentence without secrets.
import { newAccount } from '../domain/accounts.ts'
import { opaqueId, usernameKey } from '../domain/codes.ts'
import type { Chance } from '../domain/ports.ts'
import type { Vault } from '../domain/seal.ts'
import type { Account, Credential } from '../domain/types.ts'
import type { Method } from '../methods/method.ts'
import { nearest } from '../config/nearest.ts'
import { importable } from '../passwords/hash.ts'

export interface Making {
  methods: readonly Method[]
  /** bcrypt's, from the configuration: a costlier hash is refused. */
  cost: number
  actor: string
  chance: Chance
  vaultFor: (accountId: string) => Vault
}

export type Row = Readonly<Record<string, unknown>>

const plain = ['username', 'email', 'emailVerified', 'name', 'groups', 'passwordHash', 'mustChangePassword', 'disabled']

/** The columns that an import knows. */
export const columns = (methods: readonly Method[]): string[] => [
  ...plain,
  ...methods.filter((method) => 'importRow' in method).map((method) => method.id),
]

/** Why a row is refused. */
class Refused extends Error {}

function text(row: Row, field: string, longest: number): string | undefined {
  const value = row[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new Refused(`${field} must be a text`)
  const trimmed = value.trim()
  if (!trimmed) return undefined
  if (trimmed.length > longest) throw new Refused(`${field} has more than ${longest} characters`)
  if (!trimmed.isWellFormed() || /\p{Cc}/u.test(trimmed)) {
    throw new Refused(`${field} holds characters that cannot be shown`)
  }
  return trimmed
}

function flag(row: Row, field: string): boolean {
  const value = row[field] ?? false
  if (typeof value !== 'boolean') throw new Refused(`${field} must be true or false`)
  return value
}

function groupsOf(row: Row): string[] {
  const value = row['groups'] ?? []
  if (!Array.isArray(value) || !value.every((group) => typeof group === 'string' && group.trim() !== '')) {
    throw new Refused('groups must be a list of texts')
  }
  return [...new Set(value.map((group: string) => group.trim()))]
}

function passwordOf(row: Row, { cost, chance }: Making): Pick<Account, 'password'> {
  const hash = text(row, 'passwordHash', 200)
  if (hash === undefined) return {}
  const wrong = importable(hash, cost)
  if (wrong) throw new Refused(wrong)
  return { password: { hash, changedAt: chance.now() } }
}

function credentialsOf(row: Row, making: Making, id: string): Credential[] {
  return making.methods.flatMap((method) => {
    const value = row[method.id]
    // A method's id may also be the name of a plain field, which is then meant.
    if (value === undefined || value === null || plain.includes(method.id)) return []
    const values: unknown[] = Array.isArray(value) ? value : [value]
    if (values.length > method.atMost) throw new Refused(`${method.id} has more than ${method.atMost} entries`)
    const turn = { vault: making.vaultFor(id), chance: making.chance }
    return values.map((one) => {
      const credential = method.importRow?.(one, turn)
      if (typeof credential === 'object') return credential
      throw new Refused(credential ?? `${method.id} cannot be imported`)
    })
  })
}

function made(row: Row, making: Making): Account {
  const { chance, methods, actor } = making
  for (const field of Object.keys(row)) {
    if (columns(methods).includes(field)) continue
    const guess = nearest(field, columns(methods))
    throw new Refused(`${JSON.stringify(field.slice(0, 40))} is no field${guess ? `: did you mean ${guess}?` : ''}`)
  }
  const username = text(row, 'username', 256)
  if (username === undefined || !usernameKey(username)) throw new Refused('username is missing')
  const email = text(row, 'email', 254)
  if (email !== undefined && !/^[^\s@<>,;"]+@[^\s@<>,;"]+$/.test(email)) throw new Refused('email is no mail address')
  const emailVerified = flag(row, 'emailVerified')
  if (emailVerified && email === undefined) throw new Refused('emailVerified is true but there is no email')
  if (flag(row, 'mustChangePassword')) throw new Refused('mustChangePassword cannot be true yet: leave it out')
  const name = text(row, 'name', 256)
  const id = opaqueId(chance)
  const at = chance.now()
  return {
    ...newAccount(id, at),
    username,
    usernameKey: usernameKey(username),
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
    emailVerified,
    groups: groupsOf(row),
    disabled: flag(row, 'disabled'),
    ...passwordOf(row, making),
    credentials: credentialsOf(row, making, id),
    outbox: [
      {
        id: opaqueId(chance),
        kind: 'account.added',
        outcome: 'success',
        at,
        accountId: id,
        actor,
        detail: { username },
      },
    ],
  }
}

export function accountOf(row: Row, making: Making): Account | string {
  try {
    return made(row, making)
  } catch (error) {
    if (error instanceof Refused) return error.message
    throw error
  }
}
