// The database goes away in the middle of flows and comes back: closed and fast meanwhile, and nothing forgotten.
import { join } from 'node:path'
import SqliteFile from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Response } from '../browser.ts'
import { hasMongo, type MongoServer, startMongo } from '../mongo.ts'
import { authorize, drive, exchange, type Person, post, steady, where } from './person.ts'
import type { Program } from './program.ts'
import { newFolder, password, type Site, site } from './site.ts'

const REFERENCE = /Reference: ([0-9A-Z]{10})/

async function probe(port: number, path: string): Promise<{ status: number; ms: number }> {
  const began = performance.now()
  const { status } = await fetch(`http://127.0.0.1:${port}${path}`)
  return { status, ms: performance.now() - began }
}

/** DB-8: 503 within about 3 s, when to come back, and the number under which the log knows it. */
async function refused(program: Program, ask: () => Promise<Response>): Promise<void> {
  const began = performance.now()
  const answer = await ask()
  expect([answer.status, performance.now() - began < 4500]).toEqual([503, true])
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  const reference = REFERENCE.exec(answer.html)?.[1]
  expect(answer.html).toContain('data-problem="unavailable"')
  const line = await program.line((one) => one.reference === reference && one.level >= 50)
  expect(line.msg).toBe('a request failed')
  expect(answer.html).not.toMatch(/mongo|sqlite|ECONN|node:|stack/i)
}

/** Somebody registered with a session and tokens, somebody in the middle of registration, somebody at the second factor. */
async function people(s: Site) {
  for (const username of ['done', 'middle']) await s.add(username)
  const done: Person = { username: 'done', browser: s.browser() }
  await steady()
  await done.browser.open(authorize(s))
  const back = await drive(done, { site: s, now: steady, codes: [-1] })
  const tokens = await exchange(s, back ?? '')
  expect(tokens.status).toBe(200)
  const middle: Person = { username: 'middle', browser: s.browser() }
  await middle.browser.open(authorize(s))
  await middle.browser.submit({ username: 'middle', password, action: 'continue' })
  expect(where(middle.browser)).toBe('registration')
  const second: Person = { ...done, browser: s.browser() }
  await second.browser.open(authorize(s))
  await second.browser.submit({ username: 'done', password, action: 'continue' })
  expect(where(second.browser)).toBe('prove totp')
  return { done, middle, second, tokens }
}

/** LG-1: what went wrong is told without the ids of those whom it met. */
function silentAbout(program: Program, ...people: Person[]): void {
  const log = program.out() + program.err()
  const ids = people.flatMap(({ browser }) => browser.cookies.map(({ value }) => value))
  for (const id of ids) expect([id, log.includes(id)]).toEqual([id, false])
}

const mongoSuite = hasMongo() ? describe : describe.skip
mongoSuite('MongoDB is killed and comes back', () => {
  let s: Site
  let mongo: MongoServer
  let folder: string
  let program: Program
  beforeAll(async () => {
    folder = await newFolder()
    mongo = await startMongo({ file: join(folder, 'mongo') })
    s = await site({ store: mongo.uri.replace('/?', '/site?') })
    program = await s.serve()
  }, 60_000)
  afterAll(async () => {
    await s?.close()
    await mongo?.kill()
  }, 30_000)

  it('DB-8: 503 while it is down, unready but alive, never "nothing registered"; on again by itself', async () => {
    const { done, middle, second, tokens } = await people(s)
    await mongo.kill()

    await Promise.all([
      refused(program, () => post(middle.browser, { action: 'continue' })),
      refused(program, () => post(second.browser, { code: '000000', action: 'continue' })),
      refused(program, () => middle.browser.request(middle.browser.now?.url ?? '')),
      // The session of somebody who is registered: no page that asks for anything.
      refused(program, () => done.browser.request(authorize(s))),
      refused(program, () => s.browser().request(authorize(s))),
      (async () => {
        const answer = await fetch(`${s.issuer}/me`, { headers: { authorization: `Bearer ${tokens.access_token}` } })
        // A failed read is no dead token (DB-8: closed, but not wrong).
        expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([
          503,
          'temporarily_unavailable',
        ])
      })(),
      (async () => expect((await exchange(s, 'http://x/?code=abc')).status).toBe(503))(),
    ])
    const unready = await probe(program.port, '/readyz')
    expect([unready.status, unready.ms < 3500]).toEqual([503, true])
    const healthy = await probe(program.port, '/healthz')
    expect([healthy.status, healthy.ms < 500]).toEqual([200, true])
    expect(program.alive()).toBe(true)

    mongo = await startMongo({ port: mongo.port, file: join(folder, 'mongo') })
    const began = performance.now()
    while ((await probe(program.port, '/readyz')).status !== 200) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(performance.now() - began).toBeLessThan(5000)
    }
    // Where they were: nobody has to begin anew.
    expect(await drive(middle, { site: s, now: steady })).toContain('code=')
    expect(await drive(second, { site: s, now: steady, codes: [0, 1] })).toContain('code=')
    await done.browser.open(authorize(s))
    expect(done.browser.now?.location).toContain('code=')
    expect(program.out()).not.toContain('a failure that nobody handled')
    silentAbout(program, done, middle, second)
    expect((await program.stop()).code).toBe(0)
  }, 60_000)

  it('a server that cannot be reached at the start: one sentence, exit 1', async () => {
    await mongo.kill()
    const { code, err, out } = await s.cli('serve')
    expect(code).toBe(1)
    expect(err.trim().split('\n')).toEqual([
      expect.stringMatching(/^store: MongoDB at 127\.0\.0\.1:\d+ cannot be reached .*; check /),
    ])
    expect(out).not.toContain('listening')
  })
})

describe('the SQLite file is locked by another process', () => {
  let s: Site
  let program: Program
  beforeAll(async () => {
    s = await site({ store: 'sqlite:' })
    program = await s.serve()
  })
  afterAll(() => s?.close())

  it('DB-8: 503 instead of waiting for ever, the rest goes on; on again when it is free', async () => {
    const { done, middle, second } = await people(s)
    const other = new SqliteFile(join(s.folder, 'store.db'))
    other.exec('BEGIN EXCLUSIVE')
    const during = Promise.all([
      refused(program, () => post(middle.browser, { action: 'continue' })),
      refused(program, () => post(second.browser, { code: '000000', action: 'continue' })),
      refused(program, () => s.browser().request(authorize(s))),
      (async () => {
        // The event loop does not wait for the lock.
        const { status, ms } = await probe(program.port, '/healthz')
        expect([status, ms < 1000]).toEqual([200, true])
      })(),
    ])
    await during.finally(() => other.close())
    expect(await drive(middle, { site: s, now: steady })).toContain('code=')
    expect(await drive(second, { site: s, now: steady, codes: [0, 1] })).toContain('code=')
    await done.browser.open(authorize(s))
    expect(done.browser.now?.location).toContain('code=')
    silentAbout(program, done, middle, second)
    expect((await program.stop()).code).toBe(0)
  }, 60_000)

  it('DB-15: a file of a newer release is refused, in one sentence', async () => {
    const other = new SqliteFile(join(s.folder, 'store.db'))
    other.pragma('user_version = 99')
    other.close()
    const { code, err, out } = await s.cli('serve')
    expect([code, out]).toEqual([1, ''])
    expect(err.trim().split('\n')).toEqual([
      expect.stringMatching(/^store: ".*" was written by a newer release \(.*\); run that release/),
    ])
  })
})
