// The range service as it is, and as it fails: a real server, so that timeouts, cut answers and redirects are real ones.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createCommonList, createScreen } from '../../src/passwords/screen.ts'

const password = 'mellow paper kites'
const hash = createHash('sha1').update(password).digest('hex').toUpperCase()
const suffix = hash.slice(5)
const other = (first: string) => `${first}${'0'.repeat(34)}`

type Answer = (response: ServerResponse) => void
let answer: Answer = () => undefined
const asked: IncomingMessage[] = []
const server = createServer((request, response) => {
  asked.push(request)
  answer(response)
})
let url = ''

beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/range`
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
})

const about = { least: 8, username: 'alice' } as const
async function judged(text: string, how: Answer, more: { timeout?: number; base?: string } = {}) {
  answer = how
  asked.length = 0
  const failures: unknown[] = []
  const breached = {
    url: more.base ?? url,
    failed: (error: unknown) => failures.push(error),
    ...(more.timeout !== undefined && { timeout: more.timeout }),
  }
  const screen = createScreen({ common: createCommonList(), banned: () => [], service: () => [], breached })
  return { verdict: await screen.judge(text, about), failures }
}
const says =
  (...lines: string[]): Answer =>
  (response) =>
    response.end(lines.join('\r\n'))

describe('a range service that answers', () => {
  it('PW-7: five characters of the hash leave, with padding asked for, and nothing else', async () => {
    await judged(password, says(`${other('A')}:3`))
    expect(asked).toHaveLength(1)
    const [request] = asked
    expect(request?.method).toBe('GET')
    expect(request?.url).toBe(`/range/${hash.slice(0, 5)}`)
    expect(request?.url).toMatch(/^\/range\/[0-9A-F]{5}$/)
    expect(request?.headers['add-padding']).toBe('true')
    expect(JSON.stringify(request?.rawHeaders)).not.toMatch(new RegExp(`${suffix}|kites`, 'i'))
    expect(request?.headers['cookie'] ?? request?.headers['referer']).toBeUndefined()
  })

  it('PW-7: refuses what it knows, wherever it stands, in any case', async () => {
    for (const line of [suffix, suffix.toLowerCase()]) {
      const { verdict, failures } = await judged(password, says(`${other('A')}:3`, `${line}:1`, `${other('B')}:0`))
      expect(verdict).toBe('password_breached')
      expect(failures).toEqual([])
    }
  })

  it('PW-7: padding, with the count 0, is no find', async () => {
    expect(await judged(password, says(`${suffix}:0`, `${other('A')}:12`))).toEqual({
      verdict: undefined,
      failures: [],
    })
  })

  it('PW-3: the same password typed in another form has the same hash', async () => {
    const composed = 'caf\u00e9 of mellow kites'
    const digest = createHash('sha1').update(composed).digest('hex').toUpperCase()
    const { verdict } = await judged('cafe\u0301 of mellow kites', says(`${digest.slice(5)}:2`))
    expect(verdict).toBe('password_breached')
  })

  it('is not asked when another rule is broken, and one slash more in its address does not matter', async () => {
    expect((await judged('password1', says(''))).verdict).toBe('password_common')
    expect(asked).toHaveLength(0)
    expect((await judged(password, says(`${suffix}:9`), { base: `${url}/` })).verdict).toBe('password_breached')
    expect(asked[0]?.url).toBe(`/range/${hash.slice(0, 5)}`)
  })
})

describe('PW-7: a range service that fails leaves it to the local list', () => {
  const found = `${suffix}:7`
  const faults: readonly [what: string, how: Answer][] = [
    ['429', (response) => response.writeHead(429, { 'retry-after': '2' }).end(found)],
    ['500', (response) => response.writeHead(500).end(found)],
    [
      'cut by length',
      (response) => (response.writeHead(200, { 'content-length': 500 }).write(`${found}\r\n`), end(response)),
    ],
    ['cut while chunked', (response) => (response.writeHead(200).write(`${found}\r\n`), end(response))],
    ['cut before anything', (response) => response.destroy()],
    ['a redirect', (response) => response.writeHead(302, { location: `${url}/elsewhere` }).end(found)],
    ['a stream without an end', (response) => flood(response)],
  ]
  const end = (response: ServerResponse): void => void setImmediate(() => response.destroy())
  const flood = (response: ServerResponse): void => {
    response.writeHead(200)
    const more = (): void => {
      while (!response.destroyed && response.write(`${found}\r\n`.repeat(1000)));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }

  it.each(faults)('%s', async (_what, how) => {
    const { verdict, failures } = await judged(password, how)
    expect(verdict).toBeUndefined()
    expect(failures).toHaveLength(1)
    expect(String(failures[0])).not.toMatch(new RegExp(`${suffix}|kites`, 'i'))
    // A redirect is not followed.
    expect(asked).toHaveLength(1)
    expect((await judged('P@ssw0rd1', how)).verdict).toBe('password_common')
  })

  it.each([
    ['says nothing', () => undefined],
    ['stops in the middle', (response: ServerResponse) => void response.writeHead(200).write(`${found}\r\n`)],
  ] as const)('%s: 1.5 s, and no longer', async (_what, how) => {
    const before = performance.now()
    const { verdict, failures } = await judged(password, how)
    const took = performance.now() - before
    expect(verdict).toBeUndefined()
    expect(failures).toHaveLength(1)
    expect(took).toBeGreaterThan(1400)
    // On a machine with other work; 1.6 s when it is quiet.
    expect(took).toBeLessThan(2500)
  })

  it('is not there', async () => {
    const { verdict, failures } = await judged(password, says(found), { base: 'http://127.0.0.1:1/range' })
    expect([verdict, failures.length]).toEqual([undefined, 1])
  })

  it('without an address nobody is asked', async () => {
    asked.length = 0
    const screen = createScreen({
      common: createCommonList(),
      banned: () => [],
      service: () => [],
      breached: { url: () => undefined },
    })
    expect(await screen.judge(password, about)).toBeUndefined()
    expect(asked).toHaveLength(0)
  })
})
