// How the program starts, refuses to start, and ends.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { type AddressInfo, createServer as createListener, type Socket } from 'node:net'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { SMTPServer } from 'smtp-server'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { hidden } from '../browser.ts'
import { authorize, where } from './person.ts'
import { type Ended, endAll, run } from './program.ts'
import { password, type Site, site } from './site.ts'

let s: Site
/** Servers of a test, closed after it whatever became of it. */
let others: { close(done: () => void): unknown }[] = []
beforeAll(async () => {
  s = await site({ store: 'sqlite:' })
})
afterEach(async () => {
  await endAll()
  s.proxy.targets.length = 0
  await Promise.all(others.map((one) => new Promise<void>((done) => one.close(done))))
  others = []
})
afterAll(() => s?.close())

const good = 'issuer: http://localhost:3000\nlisten: { port: 0 }\nmail: { url: "outbox:", from: a@b.example }\n'
const key = randomBytes(32).toString('base64')

let files = 0
async function start(text: string, env: Record<string, string> = { SELF_SERVICE_KEYS: key }): Promise<Ended> {
  const file = join(s.folder, `start${++files}.yaml`)
  await writeFile(file, text.replace('FOLDER', s.folder))
  return run(['serve', '--config', file], { env })
}

/** Sentences for people; what was logged before is JSON. */
const sentences = ({ err, out }: Ended): string[] => {
  expect(out).not.toContain('"listening"')
  return err.trim().split('\n')
}

describe('refuses to start', () => {
  const store = (uri: string): string => `${good}store: ${uri}\n`
  const fine = store('sqlite:FOLDER/refused.db')
  const closed = 'mongodb://127.0.0.1:9/site'
  const cases: [string, string, Record<string, string> | undefined, RegExp][] = [
    ['an unknown option', `${fine}regstration: {}\n`, undefined, /:5: regstration .*registration/],
    ['a missing variable', `${fine}helpdesk: \${HELP}\n`, undefined, /:5: .*HELP/],
    ['no keys', fine, {}, /^SELF_SERVICE_KEYS is empty/],
    ['w=1', store('mongodb://127.0.0.1:9/site?w=1'), undefined, /:4: store must write to a majority/],
    ['MongoDB that is not there', store(closed), undefined, /^store: MongoDB at 127\.0\.0\.1:9 cannot be reached/],
    [
      'a folder that cannot be made',
      store('sqlite:FOLDER/config.yaml/x.db'),
      undefined,
      /^store: cannot open ".*x\.db"/,
    ],
    [
      'an outbox on a public issuer',
      fine.replace('http://localhost:3000', 'https://login.example.org'),
      undefined,
      /:3: mail\.url must not be outbox: when the issuer is public/,
    ],
    [
      'an outbox that others can reach',
      fine.replace('port: 0', 'port: 0, host: 0.0.0.0'),
      undefined,
      /:3: mail\.url must not be outbox: when listen\.host/,
    ],
    [
      'plain http',
      fine.replace('localhost:3000', 'login.example.org').replace('outbox:', 'smtp://mail.example'),
      undefined,
      /:1: issuer must be https/,
    ],
  ]
  it.each(cases)('CF-1: %s: one sentence that names the option, exit 1', async (_what, text, env, sentence) => {
    const ended = await start(text, env)
    expect(ended.code).toBe(1)
    expect(sentences(ended)).toEqual([expect.stringMatching(sentence)])
  })

  it('OP-1: keys that do not fit the store', async () => {
    const ended = await run(['serve', '--config', s.config], { env: { ...s.env, SELF_SERVICE_KEYS: key } })
    expect(ended.code).toBe(1)
    expect(sentences(ended)).toEqual([
      expect.stringMatching(/^SELF_SERVICE_KEYS does not hold the key that this store/),
    ])
    // A new one in front takes over: from then on the old one is not needed, and not enough.
    const both = await s.serve({ env: { SELF_SERVICE_KEYS: `${key},${s.env['SELF_SERVICE_KEYS']}` } })
    expect((await both.stop()).code).toBe(0)
    const old = await s.cli('serve')
    expect([old.code, sentences(old)]).toEqual([
      1,
      [expect.stringContaining('SELF_SERVICE_KEYS does not hold the key')],
    ])
    s.env['SELF_SERVICE_KEYS'] = key
  })

  it('the port is taken', async () => {
    const other = createListener().listen(0, '127.0.0.1')
    others.push(other)
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const ended = await start(fine.replace('port: 0', `port: ${port}`))
    expect(ended.code).toBe(1)
    expect(sentences(ended)).toEqual([
      `listen.port: 127.0.0.1:${port} is in use by another program: stop that program or choose another port.`,
    ])
  })
})

describe('ends in order', () => {
  it('OP-9: a running request is finished, and a mail that is on its way is sent', async () => {
    // Answers only when it is told to.
    const { promise: told, resolve: tell } = Promise.withResolvers<void>()
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    let taken = 0
    const slow = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      onData(stream, _session, done) {
        stream.resume()
        stream.on('end', () => {
          ask()
          const take = async (): Promise<void> => {
            await told
            taken++
            done()
          }
          void take()
        })
      },
    })
    const listening = slow.listen(0, '127.0.0.1')
    others.push({ close: (done) => slow.close(done) })
    await once(listening, 'listening')
    const { port } = listening.address() as AddressInfo
    const text = await readFile(s.config, 'utf8')
    await writeFile(s.config, text.replace(/smtp:\/\/127\.0\.0\.1:\d+/, `smtp://127.0.0.1:${port}`))
    const program = await s.serve()
    await s.add('alice')
    const browser = s.browser()
    await browser.open(authorize(s))
    await browser.submit({ username: 'alice', password, action: 'continue' })
    await browser.submit({ action: 'continue' })
    expect(where(browser)).toBe('prove email')
    await asked

    // A form of which one half has arrived.
    const url = new URL(browser.now?.url ?? '')
    const form = new URLSearchParams({
      ...hidden(browser.now?.html ?? ''),
      code: '12345678',
      action: 'continue',
    }).toString()
    const sent = request({
      host: '127.0.0.1',
      port: program.port,
      path: url.pathname,
      method: 'POST',
      headers: {
        host: url.host,
        cookie: browser.cookies.map(({ name, value }) => `${name}=${value}`).join('; '),
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': String(form.length),
      },
    })
    sent.write(form.slice(0, 10))
    await once(sent, 'socket')
    await new Promise((resolve) => setTimeout(resolve, 100))
    const stopped = program.stop()
    await program.line(({ msg }) => msg === 'stopping')
    await expect(fetch(`http://127.0.0.1:${program.port}/healthz`)).rejects.toThrow()
    sent.end(form.slice(10))
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    let html = ''
    for await (const chunk of answer) html += String(chunk)
    expect([answer.statusCode, answer.headers.connection, html.includes('data-problem="wrong_code"')]).toEqual([
      422,
      'close',
      true,
    ])
    tell()
    const { code, ms } = await stopped
    expect([code, ms < 10_000, taken]).toEqual([0, true, 1])
    expect(await s.store.mails.size()).toBe(0)
    await writeFile(s.config, text)
  }, 30_000)

  it('OP-9: a mail server that says nothing does not hold it up, and the mail is kept', async () => {
    const sockets: Socket[] = []
    const silent = createListener((socket) => sockets.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
    others.push({
      close(done) {
        for (const socket of sockets) socket.destroy()
        silent.close(done)
      },
    })
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const text = await readFile(s.config, 'utf8')
    await writeFile(s.config, text.replace(/smtp:\/\/127\.0\.0\.1:\d+/, `smtp://127.0.0.1:${port}`))
    const program = await s.serve()
    await s.add('bob')
    const browser = s.browser()
    await browser.open(authorize(s))
    await browser.submit({ username: 'bob', password, action: 'continue' })
    await browser.submit({ action: 'continue' })
    const { code, ms } = await program.stop()
    expect([code, ms < 10_000]).toEqual([0, true])
    expect(await s.store.mails.size()).toBe(1)
    await writeFile(s.config, text)
  }, 30_000)
})

describe('the door', () => {
  it('answers 421 to any other host, also one that a proxy reports', async () => {
    const program = await s.serve()
    const { host } = new URL(s.issuer)
    const ask = async (headers: Record<string, string>): Promise<number | undefined> => {
      const sent = request({
        host: '127.0.0.1',
        port: program.port,
        path: '/.well-known/openid-configuration',
        headers,
      })
      sent.end()
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      answer.resume()
      return answer.statusCode
    }
    expect(await ask({ host })).toBe(200)
    expect(await ask({ host: `127.0.0.1:${program.port}` })).toBe(421)
    expect(await ask({ host: 'evil.example' })).toBe(421)
    expect(await ask({ host, 'x-forwarded-host': 'evil.example' })).toBe(421)
    expect(await ask({ host: 'evil.example', 'x-forwarded-host': host })).toBe(200)
  })
})
