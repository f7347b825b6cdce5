// One row of an import, or the answers of `users add`, as an account; or why not, in one sentence without secrets.
import { activationFrom } from '../admin/registration.ts'
import { newAccount } from '../domain/accounts.ts'
import { opaqueId } from '../domain/codes.ts'
import type { Chance } from '../domain/ports.ts'
import type { Vault } from '../domain/seal.ts'
import type { Account, Credential, Time } from '../domain/types.ts'
import type { Method } from '../methods/method.ts'
import { nearest } from '../config/nearest.ts'
import { importable } from '../passwords/hash.ts'
import { addressOf, flag, groupsOf, nameOf, Refused, type Row, text, usernameOf } from './fields.ts'

export interface Making {
  methods: readonly Method[]
  /** bcrypt's, from the configuration: a costlier hash is refused. */
  cost: number
  actor: string
  chance: Chance
  vaultFor: (accountId: string) => Vault
}

const plain = ['username', 'email', 'emailVerified', 'name', 'groups', 'passwordHash', 'mustChangePassword', 'disabled']

/** The columns that an import knows. */
export const columns = (methods: readonly Method[]): string[] => [
  ...plain,
  ...methods.filter((method) => 'importRow' in method).map((method) => method.id),
]

function passwordOf(row: Row, { cost }: Making, at: Time): Pick<Account, 'password'> {
  const hash = text(row, 'passwordHash', 200)
  const mustChange = flag(row, 'mustChangePassword')
  if (hash === undefined && mustChange) throw new Refused('mustChangePassword is true but there is no passwordHash')
  if (hash === undefined) return {}
  const wrong = importable(hash, cost)
  if (wrong) throw new Refused(wrong)
  return { password: { hash, changedAt: at, ...(mustChange && { mustChange: 'temporary' }) } }
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
  const { shown: username, key } = usernameOf(row)
  const email = addressOf(row)
  const emailVerified = flag(row, 'emailVerified')
  if (emailVerified && email === undefined) throw new Refused('emailVerified is true but there is no email')
  const name = nameOf(row)
  const at = chance.now()
  const password = passwordOf(row, making, at)
  const id = opaqueId(chance)
  const credentials = credentialsOf(row, making, id)
  return {
    ...newAccount(id, at),
    username,
    usernameKey: key,
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
    emailVerified,
    groups: groupsOf(row),
    disabled: flag(row, 'disabled'),
    ...password,
    credentials,
    // Its user sets the first password, by the address on file.
    ...(!password.password && credentials.length === 0 && { activation: activationFrom(at) }),
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
