// Judges a new password: long enough, not known, not a name. No rules of composition (NIST SP 800-63B-4 3.1.1.2).
import type { ProblemCode } from '../domain/problems.ts'
import { type BreachedOptions, createBreached } from './breached.ts'
import type { CommonList } from './common-passwords.ts'
import { isAbsurd, LONGEST } from './hash.ts'
import { nearWords, partsOf } from './near.ts'

export { createCommonList, type CommonList } from './common-passwords.ts'

/** Whose password it is to be. `least`: 15 while it would stand alone, 8 beside a second factor (PW-1). */
export interface About {
  least: 8 | 15
  username: string
  name?: string
  email?: string
}

export interface Screen {
  /** The rule that a new password breaks, the first of them; undefined when it breaks none. Never rejects. */
  judge(password: string, about: About): Promise<ProblemCode | undefined>
  /**
   * On the list that ships: for a password that was right, so that it is changed before anything else. Being one character
   * away is no evidence of a compromise, which alone forces a change (NIST SP 800-63B-4 3.1.1.2).
   */
  compromised(password: string): boolean
}

export interface ScreenOptions {
  common: CommonList
  /** The administrator's words, at most 1,000. Prepared anew when another array is answered. */
  banned(): readonly string[]
  /** What this service is called: its name, its host. */
  service(): readonly string[]
  breached?: BreachedOptions
}

type Near = (password: string) => boolean

/** Words are prepared once, until their source answers others. */
function prepared(source: () => readonly string[], parts: (word: string) => string[]): Near {
  let words: readonly string[] | undefined
  let near: Near = () => false
  return (password) => {
    const now = source()
    if (now !== words) {
      words = now
      near = nearWords(now.flatMap(parts))
    }
    return near(password)
  }
}

/** Of an address the whole, and what stands before the `@`, are the account's own; its domain is not (PW-6). */
const ownNames = ({ username, name, email = '' }: About): string[] => [
  ...[username, name ?? '', email.slice(0, Math.max(0, email.lastIndexOf('@')))].flatMap(partsOf),
  email,
]

export function createScreen({ common, banned, service, breached }: ScreenOptions): Screen {
  const isBanned = prepared(banned, (word) => [word])
  const isService = prepared(service, partsOf)
  const isBreached = breached && createBreached(breached)
  return {
    compromised: (password) => !isAbsurd(password) && common.has(password),
    async judge(password, about) {
      if (isAbsurd(password)) return 'password_too_long'
      const length = Array.from(password.normalize('NFC')).length
      if (length < about.least) return 'password_too_short'
      if (length > LONGEST.codePoints) return 'password_too_long'
      if (common.near(password)) return 'password_common'
      if (nearWords(ownNames(about))(password) || isService(password)) return 'password_personal'
      if (isBanned(password)) return 'password_banned'
      return (await isBreached?.(password)) ? 'password_breached' : undefined
    },
  }
}
