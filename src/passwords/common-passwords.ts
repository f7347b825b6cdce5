// The list of common passwords that ships with the product, read when the first password is looked up.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { within1 } from './near.ts'
import { normal } from './normal.ts'

/** `config/` lies beside `src/` and beside `dist/`, so the same path holds for both. */
const shipped = fileURLToPath(new URL('../../config/common-passwords.txt', import.meta.url))

/** Listed ones of fewer characters are compared exactly: an edit in one half must leave the other half to be found by. */
const FUZZY_FROM = 8
const HALF = FUZZY_FROM / 2

export interface CommonList {
  /** The whole password, in any capitals and with the usual look-alikes; one that merely contains a listed word is not. */
  has(password: string): boolean
  /** The same, or with one character changed, left out or added: what is chosen anew must be further away (PW-5). */
  near(password: string): boolean
}

/** One edit leaves the first or the last four characters as they were, so only words that share them are compared. */
function neighbours(list: ReadonlySet<string>): (form: string) => boolean {
  const fuzzy = [...list].filter((word) => word.length >= FUZZY_FROM)
  const heads = Map.groupBy(fuzzy, (word) => word.slice(0, HALF))
  const tails = Map.groupBy(fuzzy, (word) => word.slice(-HALF))
  return (form) =>
    [heads.get(form.slice(0, HALF)), tails.get(form.slice(-HALF))].some((words) =>
      words?.some((word) => within1(form, word)),
    )
}

/** `file`: UTF-8, one password a line; lines that begin with `# ` are comments. @throws when it cannot be read. */
export function createCommonList(file: string = shipped): CommonList {
  let list: Set<string> | undefined
  let beside: ((form: string) => boolean) | undefined
  const read = (): Set<string> =>
    new Set(
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('# '))
        .map(normal),
    )
  return {
    has(password) {
      list ??= read()
      return list.has(normal(password))
    },
    near(password) {
      list ??= read()
      beside ??= neighbours(list)
      const form = normal(password)
      return list.has(form) || beside(form)
    },
  }
}
