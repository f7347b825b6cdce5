// Is a password one of some words in disguise: reversed, with digits around it, one character changed?
import { folded, lookalike } from './normal.ts'

/** Shorter words are compared exactly: with one character changed they would be nearly anything. */
const FUZZY_FROM = 4
/** Shorter parts of a name ("J.", "of") are no names of their own. */
const PART_FROM = 3

const trimmedEnd = (text: string): string => text.replace(/[^\p{L}\p{M}]+$/u, '')
const trimmed = (text: string): string => trimmedEnd(text).replace(/^[^\p{L}\p{M}]+/u, '')
const plain = (text: string): string => text.replace(/[^\p{L}\p{M}\p{N}]+/gu, '')
const backwards = (text: string): string => Array.from(text).toReversed().join('')

/** At most one character inserted, left out or changed. */
export function within1(a: string, b: string): boolean {
  const shorter = Math.min(a.length, b.length)
  const longer = Math.max(a.length, b.length)
  if (longer - shorter > 1) return false
  let front = 0
  while (front < shorter && a[front] === b[front]) front++
  let back = 0
  while (back < shorter - front && a.at(-1 - back) === b.at(-1 - back)) back++
  return longer - front - back <= 1
}

/** A name, and its parts: `Anna-Maria Li`, `anna`, `maria`; `a.li@example.org` and `example`. */
export function partsOf(name: string): string[] {
  const parts = folded(name).split(/[^\p{L}\p{M}\p{N}]+/u)
  return [name, ...parts.filter((part) => Array.from(part).length >= PART_FROM)]
}

/** Everything that a word is compared as. */
function targetsOf(word: string): string[] {
  const whole = folded(word).trim()
  const bare = trimmed(whole)
  const forms = [whole, plain(whole), ...(bare.length >= PART_FROM ? [bare] : [])].map(lookalike)
  return [...forms, ...forms.map(backwards)].filter(Boolean)
}

/** Prepared once for many passwords: a thousand words are looked through in well under a millisecond. */
export function nearWords(words: readonly string[]): (password: string) => boolean {
  const targets = [...new Set(words.flatMap(targetsOf))]
  const exact = new Set(targets)
  const byLength = Map.groupBy(targets, (target) => target.length)
  const fuzzy = (form: string): boolean =>
    [-1, 0, 1].some((more) =>
      byLength.get(form.length + more)?.some((target) => target.length >= FUZZY_FROM && within1(form, target)),
    )
  return (password) => {
    const text = folded(password).trim()
    const alike = lookalike(text)
    const forms = new Set([text, trimmedEnd(text), trimmed(text), plain(text)].map(lookalike).filter(Boolean))
    if ([...forms].some((form) => exact.has(form) || fuzzy(form))) return true
    // A word that itself ends in digits, with more of them appended.
    const end = trimmedEnd(text).length
    return targets.some((target) => target.length >= end && alike.startsWith(target))
  }
}
