// Why a store does not start: one sentence that names the option, what is wrong and what to do.

/** Thrown while a store is opened, never later. The message never holds the password of a connection string. */
export class StoreRefused extends Error {
  readonly option = 'store'
  constructor(sentence: string, cause?: unknown) {
    super(`store: ${sentence}`, { cause })
    this.name = 'StoreRefused'
  }
}

/** The first line of an error's message: what fits into a sentence. */
export const reason = (error: unknown): string =>
  (typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error)).split(
    '\n',
    1,
  )[0] ?? ''
