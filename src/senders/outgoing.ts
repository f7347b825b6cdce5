// Calls to addresses that relying parties named: only to public ones, or where it is allowed, and never on to another.
import { lookup as resolve, type LookupAddress } from 'node:dns'
import { type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { callable } from '../domain/networks.ts'

/** The address, or one that its name stands for, is loopback, private or otherwise not public, and not allowed. */
export class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED'
  constructor() {
    super('the address is not public, and outgoing.networks does not hold it')
    this.name = 'AddressRefused'
  }
}

/** When the caller set no limit of its own. oidc-provider's is the same. */
const PATIENCE = 2500
/** Keys and lists of redirect addresses are some kilobytes. */
const LARGEST = 1024 * 1024
/** A `Response` of these takes no body. */
const empty = new Set([204, 205, 304])

export type Resolve = (
  hostname: string,
  options: { all: true; verbatim: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * As `fetch`, for the provider's `fetch` option. Redirects are answered, not followed; a body over 1 MiB is an error.
 * `networks`: what may be called although it is not public. Rejects with `AddressRefused`.
 */
export function outgoingFetch(networks: readonly string[], resolver: Resolve = resolve) {
  const may = callable(networks)

  /** The socket connects to what was judged here: no second look-up can answer otherwise (DNS rebinding). */
  const lookup: LookupFunction = (hostname, { all }, done) =>
    resolver(hostname, { all: true, verbatim: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error || !first) return done(error ?? new Error('the name has no address'), '', 0)
      // One that is refused refuses the name: an attacker mixes a public address in.
      if (!addresses.every(({ address }) => may(address))) return done(new AddressRefused(), '', 0)
      return all === true ? done(null, addresses) : done(null, first.address, first.family)
    })

  return async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const { method = 'GET', headers, body = null, signal } = init
    const asked = new Request(input, { method, body, ...(headers && { headers }) })
    const url = new URL(asked.url)
    if (!/^https?:$/.test(url.protocol)) throw new TypeError(`${url.protocol} is not called`)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    // No name, so nothing is looked up.
    if (isIP(host) !== 0 && !may(host)) throw new AddressRefused()
    const limit = signal ?? AbortSignal.timeout(PATIENCE)
    const content = Buffer.from(await asked.arrayBuffer())
    const options = {
      method,
      headers: {
        ...Object.fromEntries([...asked.headers].filter(([, value]) => value !== '')),
        ...(content.length > 0 && { 'content-length': content.length }),
      },
      lookup,
      signal: limit,
      agent: false,
    } as const
    try {
      const answer = await new Promise<IncomingMessage>((done, failed) => {
        const sent = (url.protocol === 'https:' ? overHttps : overHttp)(url, options, done)
        sent.once('error', failed)
        sent.end(content)
      })
      return await responseOf(answer)
    } catch (error) {
      // A connection cut in the middle of an answer looks like the other side's doing.
      throw limit.aborted ? limit.reason : error
    }
  }
}

async function responseOf(answer: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    // Leaving the loop closes the connection.
    if (size > LARGEST) throw new RangeError('the answer is too long')
    chunks.push(chunk)
  }
  const status = answer.statusCode ?? 0
  const headers = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  )
  return new Response(empty.has(status) ? null : Buffer.concat(chunks), { status, headers })
}
