// Reads a posted form: exactly one string per field, well-formed, small; anything else is refused before it means anything.
import type { IncomingMessage } from 'node:http'
import { isProblem, type Problem } from '../domain/problems.ts'
import type { Form } from '../domain/types.ts'

const LIMIT = 64 * 1024
const FIELDS = 20
const NAME = /^[a-z_]{1,40}$/

/** NUL ends strings elsewhere, lone surrogates compare differently elsewhere: neither is ever typed. */
const strange = (text: string): boolean => text.includes('\0') || !text.isWellFormed()

async function body(request: IncomingMessage): Promise<string | Problem> {
  if (Number(request.headers['content-length'] ?? 0) > LIMIT) return { problem: 'body_too_large' }
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LIMIT) return { problem: 'body_too_large' }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('latin1')
}

const decoded = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))

function fields(pairs: Iterable<readonly [string, unknown]>): Form | Problem {
  const form: Record<string, string> = Object.create(null) as Record<string, string>
  let count = 0
  for (const [name, value] of pairs) {
    if (++count > FIELDS || !NAME.test(name) || typeof value !== 'string') return { problem: 'bad_request' }
    // Names that every object has (`constructor`, `__proto__`) are nobody's field (WB-9).
    if (Object.hasOwn(form, name) || name in Object.prototype || strange(value)) return { problem: 'bad_request' }
    form[name] = value
  }
  return form
}

/** `parsed`: what a host's own body parser left, once it has eaten the stream. */
export async function readForm(request: IncomingMessage, parsed: unknown): Promise<Form | Problem> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/x-www-form-urlencoded') return { problem: 'unsupported_type' }
  if (parsed !== undefined && parsed !== null && typeof parsed === 'object') return fields(Object.entries(parsed))
  const text = await body(request)
  if (typeof text !== 'string') return isProblem(text) ? text : { problem: 'bad_request' }
  try {
    const pairs = text.split('&').filter((pair) => pair !== '')
    return fields(
      pairs.map((pair): [string, string] => {
        const at = pair.indexOf('=')
        return at < 0 ? [decoded(pair), ''] : [decoded(pair.slice(0, at)), decoded(pair.slice(at + 1))]
      }),
    )
  } catch {
    return { problem: 'bad_request' }
  }
}
