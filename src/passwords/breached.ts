// Asks a range service whether a password is known from a breach: five characters of its hash leave, and no more (PW-7).
import { createHash } from 'node:crypto'

export interface BreachedOptions {
  /** The address in front of the five characters, e.g. `https://api.pwnedpasswords.com/range`; undefined asks nobody. */
  url: string | (() => string | undefined)
  fetch?: typeof fetch
  /** Milliseconds for the whole answer; 1,500. */
  timeout?: number
  /** The service did not answer as it should; the password is judged by the local list alone. Never holds the password. */
  failed?: (error: unknown) => void
}

/** An answer has about a thousand lines of 40 characters, padding included. */
const LARGEST = 1_000_000

/** The whole text of a good answer. @throws for any other answer, one that is cut or too long, and after the timeout. */
async function answerOf(response: Response): Promise<string> {
  if (response.status !== 200 || !response.body) {
    await response.body?.cancel()
    throw new Error(`the range service answered ${response.status}`)
  }
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of response.body) {
    size += piece.byteLength
    if (size > LARGEST) throw new Error('the range service answered without an end')
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('latin1')
}

/** True only when the service says so in a whole answer: it can refuse a password, never keep somebody from a good one. */
export function createBreached(options: BreachedOptions): (password: string) => Promise<boolean> {
  const { url, fetch: ask = fetch, timeout = 1500, failed } = options
  return async (password) => {
    const base = typeof url === 'string' ? url : url()
    if (base === undefined) return false
    // The service's own hash: it protects nothing here.
    const hash = createHash('sha1').update(password.normalize('NFC')).digest('hex').toUpperCase()
    const suffix = hash.slice(5)
    try {
      const response = await ask(`${base.replace(/\/+$/, '')}/${hash.slice(0, 5)}`, {
        headers: { 'Add-Padding': 'true' },
        redirect: 'manual',
        credentials: 'omit',
        signal: AbortSignal.timeout(timeout),
      })
      const lines = (await answerOf(response)).split(/\r?\n/)
      // Padding has the count 0.
      return lines.some((line) => {
        const [, found, count] = /^([0-9A-F]{35}):(\d+)$/i.exec(line.trim()) ?? []
        return found?.toUpperCase() === suffix && Number(count) > 0
      })
    } catch (error) {
      failed?.(error)
      return false
    }
  }
}
