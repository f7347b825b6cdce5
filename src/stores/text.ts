// How keys and open values are written, so that every database keeps the same.

/**
 * A key as it is looked up. Anything but a string is refused: an object would be an operator for MongoDB and named
 * parameters for SQLite (WB-9). A lone surrogate has no UTF-8 form; both databases would keep U+FFFD for it.
 */
export function key(value: string): string {
  if (typeof value !== 'string') throw new TypeError('store: a key must be a string')
  return value.toWellFormed()
}

// JSON.stringify escapes lone surrogates, and nothing else, as \ud8xx to \udfff; an even run of backslashes before is text.
const loneSurrogate = /(?<=(?<!\\)(?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g

/**
 * JSON text. Open values (a credential's data, an audit event's detail, the provider's payload) are kept as text in
 * MongoDB too: part of them comes from requests, and a field named `$where`, `a.b`, `_bsontype` or with a NUL in it must
 * survive as what it is.
 */
export function toText(value: unknown): string {
  const text = JSON.stringify(value)
  return text.includes('\\ud') ? text.replace(loneSurrogate, '\u{fffd}') : text
}

/** The value as this package wrote it. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what was written under a key has one type
export const fromText = <Value>(text: string): Value => {
  const value: unknown = JSON.parse(text)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this package writes there
  return value as Value
}
