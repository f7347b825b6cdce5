// What an administrator or a file says of somebody, checked: each field good, or refused in one sentence without its value.
import { usernameKey } from '../domain/codes.ts'

export type Row = Readonly<Record<string, unknown>>

/** Why a row is refused. */
export class Refused extends Error {}

export function text(row: Row, field: string, longest: number): string | undefined {
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

export function flag(row: Row, field: string): boolean {
  const value = row[field] ?? false
  if (typeof value !== 'boolean') throw new Refused(`${field} must be true or false`)
  return value
}

export function groupsOf(row: Row): string[] {
  const value = row['groups'] ?? []
  if (!Array.isArray(value) || !value.every((group) => typeof group === 'string' && group.trim() !== '')) {
    throw new Refused('groups must be a list of texts')
  }
  return [...new Set(value.map((group: string) => group.trim()))]
}

export function usernameOf(row: Row): { shown: string; key: string } {
  const shown = text(row, 'username', 256)
  const key = shown === undefined ? '' : usernameKey(shown)
  if (shown === undefined || !key) throw new Refused('username is missing')
  return { shown, key }
}

export const nameOf = (row: Row): string | undefined => text(row, 'name', 256)

export function addressOf(row: Row): string | undefined {
  const email = text(row, 'email', 254)
  if (email !== undefined && !/^[^\s@<>,;"]+@[^\s@<>,;"]+$/.test(email)) throw new Refused('email is no mail address')
  return email
}
