// Sign-outs that get lost: a crash at every write, two processes at once, relying parties that hang, lie or point inside.
import { createSign, generateKeyPairSync } from 'node:crypto'
import { afterEach, expect, it } from '@jest/globals'
import type { ClientMetadata } from 'oidc-provider'
import { Unavailable } from '../../src/domain/problems.ts'
import type { Account } from '../../src/domain/types.ts'
import { endedJob } from '../../src/oidc/logout-jobs.ts'
import { type Browser, hidden } from '../browser.ts'
import { byPerson, bySession, here, type Receiver, receiver } from '../receiver.ts'
import { eachStore } from '../stores.ts'
import { clock, defaultPolicy, passwordOf, type World, type WorldOptions, world } from '../world.ts'
import { hooked } from './hooked.ts'

const policy = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

let open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.toReversed()) await close()
  open = []
})

async function ear(issuer: () => string): Promise<Receiver> {
  const r = await receiver(issuer)
  open.push(() => r.close())
  return r
}

async function enter(setup: WorldOptions): Promise<World> {
  const w = await world({ policy, ...setup, options: { log: quiet, outgoing: here, ...setup.options } })
  let closed: Promise<void> | undefined
  const close = w.close
  w.close = () => (closed ??= close())
  open.push(() => w.close())
  return w
}

let names = 0
const someone = (): string => `leaving${(names += 1)}`

async function signedIn(w: World, clients: readonly string[]): Promise<{ account: Account; b: Browser }> {
  const username = someone()
  const account = await w.add(username)
  const b = w.browser()
  for (const client of clients) {
    await b.open(w.authorize({ client_id: client }))
    if (b.page.page === 'sign-in') await b.submit({ username, password: passwordOf(username), action: 'continue' })
    expect(b.now?.location).toContain('code=')
  }
  return { account, b }
}

async function signOut(w: World, b: Browser): Promise<void> {
  await b.open(`${w.issuer}/session/end`)
  await b.open(
    await b.request(`${w.issuer}/session/end/confirm`, { form: { ...hidden(b.now?.html ?? ''), logout: 'yes' } }),
  )
}

/** Nothing is left to do: neither now nor when it is looked at once more. */
async function settled(w: World): Promise<void> {
  const { store, clock: time } = w
  for (let tries = 0; tries < 3000; tries++) {
    if ((await store.logouts.size()) === 0) return
    if (tries % 20 === 19) time.tick(61_000)
    // Nobody's sessions: the queue is looked at now, not in two seconds.
    if (tries % 20 === 19) await w.self.signOut('nobody')
    await new Promise((done) => setTimeout(done, 10))
  }
  throw new Error('the queue does not get empty')
}

eachStore('sign-outs', (database, kind) => {
  it('LG-3: a process that dies at any call of the store between the new epoch and the last token: everybody hears', async () => {
    const store = await (await database()).open()
    const calls = [
      'audit.append',
      'logouts.put',
      'logouts.lease',
      'rows.older',
      'rows.removeOlder',
      'logouts.retry',
      'logouts.remove',
    ]
    const points = calls.flatMap((call) => [1, 2].flatMap((nth) => [`${call} ${nth}`, `after ${call} ${nth}`]))
    const repeated: string[] = []
    let struck = 0
    for (const point of points) {
      let issuer = ''
      const r = await ear(() => issuer)
      const clients = [bySession('shop', r.uri('shop')), bySession('blog', r.uri('blog'))]
      const time = clock()
      let armed = false
      const life = { over: false }
      const seen = new Map<string, number>()
      const hook = async (call: string): Promise<void> => {
        if (life.over) throw new Unavailable('unavailable', 'this process is no more')
        if (!armed) return
        const nth = (seen.get(call) ?? 0) + 1
        seen.set(call, nth)
        if (`${call} ${nth}` !== point) return
        life.over = true
        throw new Unavailable('unavailable', 'struck')
      }
      const dying = await enter({ store: hooked(store, hook, calls), clients, clock: time })
      issuer = dying.issuer
      const { account } = await signedIn(dying, ['shop', 'blog'])
      armed = true
      await dying.self.signOut(account.id)
      // As far as it gets: to the end, or to its death.
      for (let tries = 0; tries < 400 && !life.over && r.heard.length < 2; tries++) {
        await new Promise((done) => setTimeout(done, 5))
      }
      for (let tries = 0; tries < 20 && !life.over; tries++) await new Promise((done) => setTimeout(done, 5))
      await dying.close()
      if (life.over) struck++
      life.over = false
      armed = false
      expect((await store.accounts.find(account.id))?.epoch).toBe(2)

      time.tick(35_000)
      const next = await enter({ store, clients, clock: time })
      issuer = next.issuer
      for (let tries = 0; tries < 1000 && (await store.accounts.find(account.id))?.outbox.length; tries++) {
        await new Promise((done) => setTimeout(done, 5))
      }
      expect((await store.accounts.find(account.id))?.outbox).toEqual([])
      await settled(next)
      const heard = r.heard.map(({ client }) => client)
      expect({ point, heard: [...new Set(heard)].sort() }).toEqual({ point, heard: ['blog', 'shop'] })
      if (heard.length > 2) repeated.push(point)
      expect(r.refused).toEqual([])
      expect(await store.rows.older('Session', account.id, 99)).toEqual([])
      await next.close()
    }
    expect(struck).toBeGreaterThanOrEqual(points.length - 6)
    // Between sending and writing that it was sent lies at least one wait: what died there is sent again.
    expect(repeated.length).toBeLessThanOrEqual(points.length / 2)
  }, 120_000)

  it('two processes, 50 sign-outs at once: each is told once', async () => {
    const db = await database()
    const [store, peer] = [await db.open(), await db.open()]
    let issuer = ''
    const r = await ear(() => issuer)
    const time = clock()
    const w = await enter({ store, peers: [peer], clients: [bySession('shop', r.uri('shop'))], clock: time })
    issuer = w.issuer
    const people = []
    for (let count = 0; count < 50; count++) people.push((await signedIn(w, ['shop'])).account)
    await Promise.all(
      people.map(async (account, index) => {
        if (index % 2) return w.self.signOut(account.id)
        // As the command line does it, beside whoever sweeps.
        await store.accounts.replace(
          { ...account, epoch: 2, version: 99 },
          (await store.accounts.find(account.id))?.version ?? 0,
        )
        await Promise.all([store, peer].map((one) => one.logouts.put(endedJob(account.id, 2, time.now()))))
      }),
    )
    await r.until(50)
    await settled(w)
    expect(r.heard.map(({ sub }) => String(sub)).sort()).toEqual(people.map(({ id }) => id).sort())
    expect(r.refused).toEqual([])
    const told = await store.audit.query({ kind: 'relying-party.notified' }, 1000)
    expect(told.filter(({ outcome }) => outcome === 'success')).toHaveLength(50)
  }, 120_000)

  it('a relying party that hangs holds up neither others nor the end of the process', async () => {
    const store = await (await database()).open()
    let issuer = ''
    const [hangs, r] = [await ear(() => issuer), await ear(() => issuer)]
    hangs.answer = () => undefined
    const clients = [bySession('hangs', hangs.uri('hangs')), bySession('shop', r.uri('shop'))]
    const w = await enter({ store, clients })
    issuer = w.issuer
    const stuck = []
    for (let count = 0; count < 24; count++) stuck.push((await signedIn(w, ['hangs'])).account)
    const { account } = await signedIn(w, ['shop'])
    await Promise.all(stuck.map(({ id }) => w.self.signOut(id)))
    for (let tries = 0; tries < 1000 && hangs.asked() < 8; tries++) await new Promise((done) => setTimeout(done, 5))
    const begun = performance.now()
    await w.self.signOut(account.id)
    await r.until(1)
    // One round of calls that run out of time, no more.
    expect(performance.now() - begun).toBeLessThan(6000)
    // After that, two at once at the most are still tried.
    expect(hangs.asked()).toBeLessThan(24)
    const ending = performance.now()
    await w.close()
    expect(performance.now() - ending).toBeLessThan(6000)
    expect(await store.logouts.size()).toBeGreaterThanOrEqual(24)
  }, 60_000)

  it('what waits a day is given up, and the trail says so', async () => {
    const store = await (await database()).open()
    let issuer = ''
    const r = await ear(() => issuer)
    r.answer = (_request, response) => void response.writeHead(500).end()
    const time = clock()
    const w = await enter({ store, clients: [bySession('shop', r.uri('shop'))], clock: time })
    issuer = w.issuer
    const { account } = await signedIn(w, ['shop'])
    await w.self.signOut(account.id)
    const reasons = async () => {
      const all = await store.audit.query({ accountId: account.id, kind: 'relying-party.notified' }, 100)
      return all.map(({ outcome, reason }) => `${outcome} ${String(reason)}`)
    }
    for (let tries = 0; tries < 1000 && (await reasons()).length < 1; tries++) {
      await new Promise((done) => setTimeout(done, 5))
    }
    expect(await reasons()).toEqual(['failure status_500'])
    // Again and again, further and further apart.
    for (let round = 0; round < 3; round++) {
      const before = r.asked()
      time.tick(16 * 60_000)
      for (let tries = 0; tries < 2000 && r.asked() === before; tries++) {
        // What is under way when the clock is turned counts from there.
        if (tries % 500 === 499) time.tick(16 * 60_000)
        await new Promise((done) => setTimeout(done, 5))
      }
      expect(r.asked()).toBeGreaterThan(before)
    }
    time.tick(25 * 3_600_000)
    await settled(w)
    expect(await reasons()).toEqual(['failure status_500', 'failure expired'])
  }, 60_000)

  it('ASVS 1.3.6: no address inside is reached because a client names it, for logout tokens or keys', async () => {
    const store = await (await database()).open()
    let issuer = ''
    const r = await ear(() => issuer)
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const rsa = {
      ...bySession('keyed', r.uri('keyed')),
      client_secret: undefined,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: `http://127.0.0.1:${r.port}/jwks`,
    } as unknown as ClientMetadata
    const mapped = `http://[::ffff:127.0.0.1]:${r.port}/logout/mapped`
    const clients = [
      bySession('inside', r.uri('inside')),
      bySession('named', `http://localhost:${r.port}/logout/named`),
      bySession('mapped', mapped),
      rsa,
    ]
    const w = await enter({ store, clients, options: { outgoing: { networks: [] } } })
    issuer = w.issuer
    const parties = ['inside', 'named', 'mapped']
    const { b } = await signedIn(w, parties)
    await signOut(w, b)
    const { account } = await signedIn(w, parties)
    await w.self.signOut(account.id)
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const asked = (aud: string) => {
      const claims = { iss: 'keyed', sub: 'keyed', aud, jti: 'x', exp: Math.floor(Date.now() / 1000) + 60 }
      const signed = `${part({ alg: 'RS256' })}.${part(claims)}`
      return fetch(`${aud}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code: 'x',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: `${signed}.${createSign('sha256').update(signed).sign(privateKey, 'base64url')}`,
        }),
      })
    }
    const answer = await asked(issuer)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    const refused = async () =>
      (await store.audit.query({ accountId: account.id, kind: 'relying-party.notified' }, 100)).map(
        ({ client, reason }) => `${client} ${reason}`,
      )
    for (let tries = 0; tries < 1000 && (await refused()).length < 3; tries++) {
      await new Promise((done) => setTimeout(done, 5))
    }
    expect((await refused()).sort()).toEqual(parties.map((client) => `${client} address_refused`).sort())
    expect(r.asked()).toBe(0)
    // The control: allowed, the same request does fetch the keys.
    await w.close()
    await asked((await enter({ store, clients: [rsa] })).issuer)
    expect(r.paths).toContain('/jwks')
  }, 30_000)

  it('LG-1, SC-1: no logout token in log, trail or store, and no sid lies there in the open', async () => {
    const db = await database()
    const store = await db.open()
    let issuer = ''
    const r = await ear(() => issuer)
    const lines: string[] = []
    const note = (facts: object, text: string) =>
      void lines.push(JSON.stringify([facts, text, String(Object(facts).err)]))
    const clients = [bySession('shop', `${r.uri('shop')}?key=hidden-in-the-address`), byPerson('old', r.uri('old'))]
    const w = await enter({
      store,
      clients,
      options: { log: { info: note, warn: note, error: note } },
    })
    issuer = w.issuer
    r.answer = (_request, response) => void response.writeHead(500).end()
    const { account } = await signedIn(w, ['shop', 'old'])
    const { b } = await signedIn(w, ['shop', 'old'])
    await w.self.signOut(account.id)
    await signOut(w, b)
    for (let tries = 0; tries < 1000 && r.tokens.length < 4; tries++) await new Promise((done) => setTimeout(done, 5))
    expect(r.tokens.length).toBeGreaterThanOrEqual(4)
    for (let tries = 0; tries < 200 && lines.length < 4; tries++) await new Promise((done) => setTimeout(done, 5))
    expect(lines.length).toBeGreaterThanOrEqual(4)
    const everything = `${lines.join('\n')}\n${await db.dump()}`
    for (const token of r.tokens) {
      const { sid, jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
      for (const secret of [token, token.split('.')[2], jti, sid]) if (secret) expect(everything).not.toContain(secret)
    }
    expect(lines.join('\n')).not.toContain('hidden-in-the-address')
    expect(kind).toBeDefined()
  }, 30_000)
})
