// The list of common passwords that ships with the product, read when the first password is looked up.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { normal } from './normal.ts'

/** `config/` lies beside `src/` and beside `dist/`, so the same path holds for both. */
const shipped = fileURLToPath(new URL('../../config/common-passwords.txt', import.meta.url))

export interface CommonList {
  /** The whole password, in any capitals and with the usual look-alikes; one that merely contains a listed word is not. */
  has(password: string): boolean
}

/** `file`: UTF-8, one password a line; lines that begin with `# ` are comments. @throws when it cannot be read. */
export function createCommonList(file: string = shipped): CommonList {
  let list: Set<string> | undefined
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
  }
}
