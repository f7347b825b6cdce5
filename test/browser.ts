// A browser without a window: cookies by path, forms by their fields, redirects one at a time.
export interface Response {
  status: number
  url: string
  html: string
  headers: Headers
  location?: string
}

interface Cookie {
  name: string
  value: string
  path: string
  host: string
}

const entities: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  '#x27': "'",
  '#x3D': '=',
  '#x60': '`',
}
export const unescape = (text: string): string =>
  text.replace(/&(#?\w+);/g, (whole, name: string) => entities[name] ?? whole)

/** `data-page`, `data-method`, `data-problem` of the page. */
export const marks = (html: string): { page?: string; method?: string; problem?: string } => {
  const main = /<main\b[^>]*>/.exec(html)?.[0] ?? ''
  const mark = (name: string): object => {
    const value = new RegExp(`\\bdata-${name}="([^"]*)"`).exec(main)?.[1]
    return value === undefined ? {} : { [name]: value }
  }
  return { ...mark('page'), ...mark('method'), ...mark('problem') }
}

/** Hidden fields of the page's form. */
export const hidden = (html: string): Record<string, string> =>
  Object.fromEntries(
    [...html.matchAll(/<input\b[^>]*type="hidden"[^>]*>/g)].map(([tag]) => [
      /\bname="([^"]*)"/.exec(tag)?.[1] ?? '',
      unescape(/\bvalue="([^"]*)"/.exec(tag)?.[1] ?? ''),
    ]),
  )

export class Browser {
  readonly issuer: string
  cookies: Cookie[] = []
  headers: Record<string, string> = {}
  /** The page in the window. */
  now: Response | undefined

  constructor(issuer: string) {
    this.issuer = issuer
  }

  clone(): Browser {
    const other = new Browser(this.issuer)
    other.cookies = structuredClone(this.cookies)
    other.headers = { ...this.headers }
    other.now = this.now
    return other
  }

  private cookieHeader(url: URL): string {
    return this.cookies
      .filter((cookie) => cookie.host === url.hostname)
      .filter(({ path }) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`))
      .toSorted((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }

  private keep(url: URL, headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const at = pair.indexOf('=')
      const name = pair.slice(0, at)
      const attribute = (wanted: string): string | undefined =>
        attributes.find((one) => one.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1)
      const path = attribute('path') ?? '/'
      const expires = attribute('expires')
      this.cookies = this.cookies.filter(
        (one) => !(one.name === name && one.path === path && one.host === url.hostname),
      )
      const gone = expires !== undefined && new Date(expires).getTime() <= Date.now()
      if (!gone) this.cookies.push({ name, value: pair.slice(at + 1), path, host: url.hostname })
    }
  }

  /** One request, redirects not followed. */
  async request(
    address: string,
    options: { form?: Record<string, string> | string; method?: string; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const url = new URL(address, this.now?.url ?? this.issuer)
    const { form, headers = {} } = options
    const cookie = this.cookieHeader(url)
    const response = await fetch(url, {
      method: options.method ?? (form === undefined ? 'GET' : 'POST'),
      redirect: 'manual',
      headers: {
        accept: 'text/html,application/xhtml+xml',
        ...(cookie && { cookie }),
        ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded', origin: url.origin }),
        ...this.headers,
        ...headers,
      },
      ...(form !== undefined && { body: typeof form === 'string' ? form : new URLSearchParams(form).toString() }),
    })
    this.keep(url, response.headers)
    const location = response.headers.get('location')
    return {
      status: response.status,
      url: url.href,
      html: await response.text(),
      headers: response.headers,
      ...(location !== null && { location: new URL(location, url).href }),
    }
  }

  /** Follows redirects as long as they stay with the issuer; what leaves it is answered as it is. */
  async open(address: string | Response): Promise<Response> {
    let response = typeof address === 'string' ? await this.request(address) : address
    for (let hops = 0; response.location?.startsWith(this.issuer) && hops < 20; hops++) {
      response = await this.request(response.location)
    }
    this.now = response
    return response
  }

  /** Posts the form of the page in the window: its hidden fields, and these. */
  async submit(fields: Record<string, string>): Promise<Response> {
    const page = this.now
    if (!page) throw new Error('no page is open')
    return this.open(await this.request(page.url, { form: { ...hidden(page.html), ...fields } }))
  }

  get page(): { page?: string; method?: string; problem?: string } {
    return marks(this.now?.html ?? '')
  }

  get secret(): string {
    const found = /data-secret[^>]*>([^<]+)</.exec(this.now?.html ?? '')?.[1]
    if (!found) throw new Error(`no secret on the page ${JSON.stringify(this.page)}`)
    return found.replace(/\s/g, '')
  }

  get recoveryCodes(): string[] {
    return [...(this.now?.html ?? '').matchAll(/data-recovery-code[^>]*>([^<]+)</g)].map(([, code]) =>
      (code ?? '').trim(),
    )
  }
}
