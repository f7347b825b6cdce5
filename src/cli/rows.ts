// Reads rows from a stream of bytes: JSON array, JSON lines or CSV, told apart by the first character.
import type { Readable } from 'node:stream'
import { csvRows, type Found } from './rows-csv.ts'
import { jsonValues } from './rows-json.ts'

export type { Found } from './rows-csv.ts'

export async function* rowsOf(stream: Readable, columns: readonly string[]): AsyncGenerator<Found> {
  stream.setEncoding('utf8')
  const chunks: AsyncIterator<string> = stream[Symbol.asyncIterator]()
  let head = ''
  while (!head.trim()) {
    const next = await chunks.next()
    if (next.done) break
    // The byte order mark counts as white space.
    head += next.value
  }
  const text = (async function* () {
    yield head
    yield* { [Symbol.asyncIterator]: () => chunks }
  })()
  const first = head.trim()[0]
  if (first === undefined) return
  if (first === '[' || first === '{') yield* jsonRows(jsonValues(text))
  else yield* csvRows(text, columns)
}

async function* jsonRows(values: AsyncIterable<{ line: number; text: string }>): AsyncGenerator<Found> {
  for await (const { line, text } of values) {
    let row: unknown
    try {
      row = JSON.parse(text)
    } catch {
      // The parser's own message quotes the text, and that may be a secret.
      yield { line, wrong: 'this is no valid JSON' }
      continue
    }
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) yield { line, row: { ...row } }
    else yield { line, wrong: 'a row must be an object' }
  }
}
