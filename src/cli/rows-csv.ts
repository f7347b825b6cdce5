// CSV with a header line: cells as the fields of a row.
import { parse } from 'csv-parse'
import { Readable } from 'node:stream'
import { ConfigError } from '../config/finding.ts'
import { nearest } from '../config/nearest.ts'
import type { Row } from './fields.ts'

/** A row with the line it begins in, or what is wrong with it. */
export type Found = { line: number } & ({ row: Row } | { wrong: string })

const flags = new Set(['emailVerified', 'mustChangePassword', 'disabled'])

/** An empty cell is an absent field. A cell that looks like JSON is read as JSON; else a method's cell is its secret. */
function cell(column: string, text: string, plain: boolean): unknown {
  if (flags.has(column)) {
    const word = text.trim().toLowerCase()
    return ['true', '1', 'yes'].includes(word) ? true : ['false', '0', 'no'].includes(word) ? false : text
  }
  if (column === 'groups' && !text.trim().startsWith('[')) return text.split(';').filter((group) => group.trim())
  if (plain) return text
  if (!/^\s*[[{]/.test(text)) return { secret: text }
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const isPlain = (column: string): boolean => ['username', 'email', 'name', 'passwordHash'].includes(column)

/** @throws {ConfigError} when the header is wrong: then no row can be understood. */
export async function* csvRows(chunks: AsyncIterable<string>, columns: readonly string[]): AsyncGenerator<Found> {
  const parser = Readable.from(chunks).pipe(
    parse({ bom: true, info: true, relaxColumnCount: true, skipEmptyLines: true, maxRecordSize: 1024 * 1024 }),
  )
  let header: string[] | undefined
  let ended = 0
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      // The parser tells where a record ends; it begins after the one before it.
      const line = info.lines - record.reduce((count, text) => count + text.split('\n').length - 1, 0)
      ended = info.lines
      if (!header) {
        header = record.map((name) => name.trim())
        checkHeader(header, columns)
        continue
      }
      if (record.length !== header.length) {
        yield { line, wrong: `has ${record.length} cells, but the header has ${header.length}` }
        continue
      }
      const cells = header.map((column, index) => [column, record[index] ?? ''] as const)
      yield {
        line,
        row: Object.fromEntries(
          cells
            .filter(([, text]) => text.trim())
            .map(([column, text]) => [column, cell(column, text, isPlain(column))]),
        ),
      }
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error
    // The parser's own message quotes the text. What follows a broken quote cannot be told apart, so it ends here.
    const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unreadable'
    yield { line: ended + 1, wrong: `this and what follows is no valid CSV (${code}): mend the quotes` }
  }
}

function checkHeader(header: readonly string[], columns: readonly string[]): void {
  const findings = header.flatMap((name, index) => {
    const guess = nearest(name, columns)
    if (!columns.includes(name)) return `${JSON.stringify(name)} is no field${guess ? `: did you mean ${guess}?` : ''}`
    return header.indexOf(name) === index ? [] : `${name} stands there twice: keep one`
  })
  if (!header.includes('username')) findings.push('the column username is missing: add it')
  if (findings.length > 0)
    throw new ConfigError(findings.map((sentence) => ({ line: 1, sentence: `line 1: ${sentence}` })))
}
