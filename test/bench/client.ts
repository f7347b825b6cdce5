// A browser that costs little: keep-alive connections of node:http, cookies in a list, no HTML but one hidden field.
import { Agent, request } from 'node:http'

/** Keeps connections open, as browsers do. At most `connections` at a time. */
export const connections = (most: number): Agent => new Agent({ keepAlive: true, maxSockets: most })

export interface Answer {
  status: number
  location: string
  body: string
  retryAfter: number
}

export interface Visitor {
  get(path: string): Promise<Answer>
  post(path: string, fields: Record<string, string>): Promise<Answer>
  /** Forgets the provider's cookies and keeps ours: the same browser, signed out. */
  signedOut(): void
}

export interface VisitorOptions {
  issuer: string
  agent: Agent
  /** The address behind the one trusted proxy: many people at one address would share its budget of guesses. */
  address?: string
}

interface Cookie {
  name: string
  value: string
  path: string
}

const GIVE_UP = 60_000
const TRIES = 5

export function visitor({ issuer, agent, address }: VisitorOptions): Visitor {
  const { hostname, port, origin } = new URL(issuer)
  let cookies: Cookie[] = []

  const sent = (path: string): string =>
    cookies
      .filter((cookie) => path === cookie.path || path.startsWith(cookie.path === '/' ? '/' : `${cookie.path}/`))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')

  function keep(line: string): void {
    const [pair = '', ...attributes] = line.split('; ')
    const at = pair.indexOf('=')
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)]
    const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/'
    cookies = cookies.filter((one) => one.name !== name || one.path !== path)
    if (value !== '') cookies.push({ name, value, path })
  }

  const once = (method: 'GET' | 'POST', target: string, form?: string): Promise<Answer | undefined> =>
    new Promise((resolve, reject) => {
      const path = target.startsWith(origin) ? target.slice(origin.length) : target
      const cookie = sent(path.split('?', 1)[0] ?? path)
      const headers: Record<string, string | number> = { accept: 'text/html', 'accept-language': 'en' }
      if (cookie) headers['cookie'] = cookie
      if (address) headers['x-forwarded-for'] = address
      if (form !== undefined) {
        headers['content-type'] = 'application/x-www-form-urlencoded'
        headers['content-length'] = Buffer.byteLength(form)
        headers['origin'] = origin
      }
      const asked = request({ hostname, port, path, method, agent, headers, timeout: GIVE_UP }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          for (const line of response.headers['set-cookie'] ?? []) keep(line)
          resolve({
            status: response.statusCode ?? 0,
            location: response.headers.location ?? '',
            body: Buffer.concat(chunks).toString(),
            retryAfter: Number(response.headers['retry-after'] ?? 0),
          })
        })
      })
      asked.on('timeout', () => asked.destroy(new Error(`no answer to ${method} ${path}`)))
      asked.on('error', (error: NodeJS.ErrnoException) => {
        // The server closed an idle connection in the moment in which it was used again: a browser opens another one.
        if (asked.reusedSocket && error.code === 'ECONNRESET') resolve(undefined)
        else reject(error)
      })
      asked.end(form)
    })

  async function send(method: 'GET' | 'POST', target: string, form?: string): Promise<Answer> {
    for (let tries = 0; tries < TRIES; tries++) {
      const answer = await once(method, target, form)
      if (answer) return answer
    }
    throw new Error(`${method} ${target}: the server closes every connection`)
  }

  return {
    get: (path) => send('GET', path),
    post: (path, fields) => send('POST', path, new URLSearchParams(fields).toString()),
    signedOut() {
      cookies = cookies.filter(({ name }) => !name.startsWith('_'))
    },
  }
}

const entities: Record<string, string> = { '&#x3D;': '=', '&amp;': '&', '&#61;': '=' }

/** The hidden field `step` of a page. */
export const stepOf = (html: string): string =>
  (/name="step" value="([^"]*)"/.exec(html)?.[1] ?? '').replace(/&[#\w]+;/g, (whole) => entities[whole] ?? whole)

/** Ends a measurement that measures something else than it says. */
export function expected(answer: Answer, status: number, what: string): Answer {
  if (answer.status === status) return answer
  const page = /data-(?:page|problem)="[^"]*"/g
  throw new Error(`${what}: expected ${status}, got ${answer.status} ${answer.body.match(page)?.join(' ') ?? ''}`)
}
