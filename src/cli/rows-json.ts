// Cuts a stream of JSON into its rows without holding it: the elements of an array, or one value after another.

const LONGEST = 1024 * 1024

interface Cut {
  /** Where the row begins. */
  line: number
  text: string
}

/** Only brackets and strings are understood here; whether a row is JSON is for the parser to say. */
export async function* jsonValues(chunks: AsyncIterable<string>): AsyncGenerator<Cut> {
  let line = 1
  let depth = 0
  let inString = false
  let escaped = false
  let array: boolean | undefined
  let closed = false
  let row = ''
  let began = 1

  for await (const chunk of chunks) {
    // Pieces of a chunk are taken at once: letter by letter would take minutes for a large file.
    for (const [piece] of chunk.matchAll(/[\n"\\[\]{},]|[^\n"\\[\]{},]+/g)) {
      const blank = row.trim() === ''
      const base = array ? 1 : 0
      if (piece === '\n') line++
      if (array === undefined && piece.trim().replace(/^\uFEFF/, '') !== '') {
        array = piece === '['
        if (array) {
          depth = 1
          continue
        }
      }
      if (inString) {
        const escape: boolean = escaped
        escaped = piece === '\\' && !escape
        // Only the first letter after a backslash is escaped.
        if (piece === '"' && !escape) inString = false
        row += piece
        // A text cannot go on in the next line: the row is broken, and the next one begins here.
        if (piece === '\n' && !array) {
          yield { line: began, text: row }
          row = ''
          depth = 0
          inString = false
        }
        continue
      }
      if (piece === '"') inString = true
      if (piece === '[' || piece === '{') depth++
      if (piece === ']' || piece === '}') depth--
      if (closed) {
        if (piece.trim()) row += piece
        continue
      }
      const ends = array ? depth < 1 || (piece === ',' && depth === base) : piece === '\n'
      if (!ends) {
        if (blank && piece.trim()) began = line
        row = blank ? piece.trimStart() : row + piece
        if (row.length > LONGEST) {
          yield { line: began, text: '' }
          return
        }
        continue
      }
      if (row.trim()) yield { line: began, text: row }
      row = ''
      if (!array) depth = 0
      if (array && depth < 1) closed = true
    }
  }
  // What is left: the last line, an array that never ends, or something after its end.
  if (row.trim()) yield { line: closed ? line : began, text: closed ? '' : row }
  else if (array && !closed) yield { line, text: '' }
}
