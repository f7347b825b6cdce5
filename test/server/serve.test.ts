// The server around the plugin: its door, its health, its outbox page, its start and its end.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../src/config/load.ts'
import { createMethods } from '../../src/methods/index.ts'
import { listen } from '../../src/server/listen.ts'
import { jsonLog } from '../../src/server/log.ts'
import { outboxPage } from '../../src/server/outbox-page.ts'
import { referenceNumber } from '../../src/domain/codes.ts'
import { realChance } from '../../src/server/chance.ts'
import { maskedPath } from '../../src/server/request-log.ts'
import { type Server, startServer } from '../../src/server/serve.ts'

let folder: string
const roots = [randomBytes(32)]
const lines: string[] = []
const log = jsonLog('trace', (line) => lines.push(line))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serve-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function freePort(): Promise<number> {
  const free = await listen((_request, response) => void response.end(), { host: '127.0.0.1', port: 0 })
  await free.close()
  return free.port
}

async function configFile(name: string, port: number, more = '', path = ''): Promise<string> {
  const file = join(folder, `${name}.yaml`)
  const text = `issuer: http://localhost:${port}${path}
listen: { port: ${port} }
store: ${JSON.stringify(`sqlite:${join(folder, `${name}.db`)}`)}
mail: { url: "outbox:", from: a@b.example }
${more}
`
  await writeFile(file, text)
  return file
}

const load = (file: string) => loadConfig(file, { methods: createMethods(), env: {} })

/** With headers that `fetch` does not let one choose. */
async function ask(port: number, path: string, headers: Record<string, string> = {}, method = 'GET') {
  const sent = request({ host: '127.0.0.1', port, path, method, headers: { host: `localhost:${port}`, ...headers } })
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode, headers: response.headers, body }
}

describe('the server', () => {
  let server: Server
  let port: number
  beforeAll(async () => {
    port = await freePort()
    server = await startServer(await load(await configFile('one', port)), { roots, log })
  })
  afterAll(() => server.close())

  it.each(['evil.example', 'localhost', 'localhost:1', 'user@localhost', ''])(
    'answers 421 for the host %j, whatever is asked for',
    async (host) => {
      const answer = await ask(port, '/.well-known/openid-configuration', { host })
      expect([400, 421]).toContain(answer.status)
      expect(answer.body).not.toContain('authorization_endpoint')
      if (answer.status === 421) {
        expect(answer.body).toContain(`http://localhost:${port}`)
        expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'")
      }
    },
  )

  it('CF-6: believes no forwarded host without proxies', async () => {
    const headers = { host: `localhost:${port}`, 'x-forwarded-host': 'evil.example' }
    const answer = await ask(port, '/.well-known/openid-configuration', headers)
    expect(answer.status).toBe(200)
    expect(answer.body).not.toContain('evil.example')
  })

  it('tells whether it lives and can serve, whoever asks', async () => {
    expect((await ask(port, '/healthz', { host: '10.0.0.7' })).status).toBe(200)
    const ready = await ask(port, '/readyz', { host: '10.0.0.7' })
    expect(JSON.parse(ready.body)).toEqual({ ok: true, store: true, mail: true })
    expect((await ask(port, '/readyz', {}, 'POST')).status).toBe(405)
  })

  it('shows the outbox, empty at first, and only to its own host', async () => {
    expect((await ask(port, '/dev/outbox.json')).body).toBe('[]')
    expect((await ask(port, '/dev/outbox')).body).toContain('Nothing yet.')
    expect((await ask(port, '/dev/outbox.json', { host: 'evil.example' })).status).toBe(421)
  })

  it('LG-5: page and log share a reference number; LG-1: the log has neither query nor id', async () => {
    const answer = await ask(port, '/auth?client_id=nobody&login_hint=s3cret%0Ainjected')
    expect(answer.status).toBe(400)
    const line = lines.map((text) => JSON.parse(text)).findLast(({ path }) => path === '/auth')
    expect(answer.body).toContain(line.reference)
    expect(line).toMatchObject({ method: 'GET', status: 400 })
    expect(lines.join('')).not.toContain('s3cret')
  })

  it('says which port is taken', async () => {
    const file = await configFile('two', port)
    await expect(startServer(await load(file), { roots, log })).rejects.toThrow(
      `listen.port: 127.0.0.1:${port} is in use by another program: stop that program or choose another port.`,
    )
  })
})

it('CF-3: an unsafe choice is logged at every start; an issuer with a path is served beneath it', async () => {
  const port = await freePort()
  const file = await configFile('path', port, 'registration: { trustGate: dangerouslyNone }', '/login')
  lines.length = 0
  const server = await startServer(await load(file), { roots, log })
  try {
    expect(lines.join('')).toContain('registration.trustGate is dangerouslyNone')
    const answer = await ask(port, '/login/.well-known/openid-configuration')
    expect(JSON.parse(answer.body)).toMatchObject({
      issuer: `http://localhost:${port}/login`,
      authorization_endpoint: `http://localhost:${port}/login/auth`,
    })
  } finally {
    await server.close()
  }
})

describe('stopping', () => {
  it('OP-9: a running request ends, a new connection is refused', async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
    const { promise: answer, resolve: let_go } = Promise.withResolvers<void>()
    const server = await listen(
      (_request, response) => {
        arrive()
        void answer.then(() => response.end('whole'))
      },
      { host: '127.0.0.1', port: 0 },
    )
    const running = ask(server.port, '/')
    await arrived
    const closed = server.close()
    const late = connect(server.port, '127.0.0.1')
    await expect(once(late, 'connect')).rejects.toThrow('ECONNREFUSED')
    let_go()
    expect(await running).toMatchObject({ status: 200, body: 'whole' })
    await closed
  })

  it('OP-9: what does not end is cut off', async () => {
    const server = await listen(() => undefined, { host: '127.0.0.1', port: 0 })
    const hanging = connect(server.port, '127.0.0.1')
    await once(hanging, 'connect')
    hanging.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const ended = once(hanging, 'close')
    await server.close(100)
    await ended
  })
})

describe('the program', () => {
  const start = (args: string[], env: Record<string, string> = {}): ChildProcess =>
    spawn(process.execPath, ['src/cli/main.ts', ...args], { env: { ...env, PATH: '/usr/bin' } })

  async function ended(child: ChildProcess): Promise<{ code: unknown; out: string; err: string }> {
    let [out, err] = ['', '']
    child.stdout?.on('data', (text) => (out += String(text)))
    child.stderr?.on('data', (text) => (err += String(text)))
    const [code] = await once(child, 'close')
    return { code, out, err }
  }

  const keys = { SELF_SERVICE_KEYS: randomBytes(32).toString('base64') }

  it('serves until SIGTERM, then exits 0; again with another key it refuses (OP-1)', async () => {
    const port = await freePort()
    const file = await configFile('run', port)
    const child = start(['serve', '--config', file], keys)
    const { promise: listening, resolve } = Promise.withResolvers<void>()
    child.stdout?.on('data', (text) => String(text).includes('"listening"') && resolve())
    await listening
    expect((await ask(port, '/readyz')).status).toBe(200)
    child.kill('SIGTERM')
    const [code] = await once(child, 'close')
    expect(code).toBe(0)

    const other = await ended(
      start(['serve', '--config', file], { SELF_SERVICE_KEYS: randomBytes(32).toString('base64') }),
    )
    expect(other).toMatchObject({ code: 1, err: expect.stringContaining('SELF_SERVICE_KEYS does not hold the key') })
  })

  it.each([
    ['no keys', {}, '', 'SELF_SERVICE_KEYS is empty'],
    ['a short key', { SELF_SERVICE_KEYS: 'c2hvcnQ=' }, '', 'SELF_SERVICE_KEYS: key 1'],
    ['a key of zeros', { SELF_SERVICE_KEYS: Buffer.alloc(32).toString('base64') }, '', 'SELF_SERVICE_KEYS: key 1'],
    ['a bad option', keys, 'password: { cost: 4 }', ':5: password.cost must be at least 10 (found 4): raise it'],
  ])('CF-1: %s: one sentence, exit 1, nothing listens', async (_what, env, more, sentence) => {
    const file = await configFile('bad', await freePort(), more)
    const { code, err } = await ended(start(['serve', '--config', file], env))
    expect(code).toBe(1)
    expect(
      err
        .trim()
        .split('\n')
        .filter((line) => !line.startsWith('{')),
    ).toEqual([expect.stringContaining(sentence)])
  })
})

describe('the log', () => {
  it('LG-4: one record stays one line', () => {
    const written: string[] = []
    const nasty = 'a\r\n\u001b[31m\u2028\u2029\u0085"} {"x":1'
    jsonLog('info', (line) => written.push(line)).info({ name: nasty }, nasty)
    expect(written).toHaveLength(1)
    expect(written[0]?.trimEnd()).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(written[0] ?? '')).toMatchObject({ name: nasty, msg: nasty })
  })

  it('LG-1: an error gives no password of a connection string away', () => {
    const written: string[] = []
    const error = new Error('cannot reach mongodb://admin:hunter2@db/x', { cause: new Error('smtp://u:hunter2@m') })
    jsonLog('info', (line) => written.push(line)).error({ err: error }, 'failed')
    expect(written.join('')).toContain('mongodb://***@db/x')
    expect(written.join('')).not.toContain('hunter2')
  })

  it.each([
    ['/interaction/Zk3-aB9', '/interaction/:id'],
    ['/.well-known/openid-configuration', '/.well-known/openid-configuration'],
    ['/session/end/confirm', '/session/end/confirm'],
    ['/style.3fa9.css', '/:id'],
    ['/a\u2028b/12345678', '/:id/:id'],
  ])('masks %j', (path, masked) => {
    expect(maskedPath(path)).toBe(masked)
  })

  it('a reference number can be read out', () => {
    expect(referenceNumber(realChance)).toMatch(/^[0-9A-HJKMNP-TV-Z]{10}$/)
    expect(new Set(Array.from({ length: 1000 }, () => referenceNumber(realChance))).size).toBe(1000)
  })
})

it('WB-7: mails in the outbox page are shown, not run', async () => {
  const mail = {
    to: 'a@b.example',
    subject: '<script>1</script>',
    text: '</pre><b>',
    html: '"><script>2</script>',
    at: 0,
  }
  const ctx = { path: '/dev/outbox', method: 'GET', set: () => undefined, body: '' }
  await (outboxPage(() => [mail]) as unknown as (ctx: object, next: () => Promise<void>) => Promise<void>)(
    ctx,
    async () => undefined,
  )
  expect(ctx.body).not.toContain('<script>')
  expect(ctx.body).toContain('sandbox=""')
  expect(ctx.body).toContain('&lt;script&gt;1')
})
