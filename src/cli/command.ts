// What a command is given and must be, and how it says that its command line is wrong.
import type { Environment } from '../config/source.ts'

export interface Io {
  /** A line of the result. */
  out(text: string): void
  /** A line for people: progress, refusals. */
  err(text: string): void
  env: Environment
  /** The version of Node.js. */
  node: string
}

export interface Usage {
  /** Arguments, in one line. */
  line: string
  more?: string
}

export interface Command {
  run(args: string[], io: Io): Promise<number>
}

/** The command line is wrong: exit 2, with the usage line. */
export class UsageError extends Error {
  constructor(sentence: string) {
    super(sentence)
    this.name = 'UsageError'
  }
}

/** The one argument that stands alone, such as a file. */
export function only(positionals: readonly string[], what: string): string {
  const [first, ...rest] = positionals
  if (first === undefined) throw new UsageError(`${what} is missing.`)
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is one argument too many.`)
  return first
}

export function needed(value: string | undefined, option: string): string {
  if (!value) throw new UsageError(`--${option} is missing.`)
  return value
}
