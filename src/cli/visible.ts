// Text that users chose, as it may stand in a line of a terminal: it starts no line and no escape sequence (LG-4).

/** Control characters, line separators and the marks that turn the direction of writing. */
const unseen = /[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** Written as in JSON, so that a line of JSON stays one. */
export const visible = (text: string): string =>
  text.toWellFormed().replace(unseen, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** One line of JSON; within it such characters stand in texts only. */
export const jsonLine = (value: unknown): string => visible(JSON.stringify(value))

export const time = (at: number): string => new Date(at).toISOString()
