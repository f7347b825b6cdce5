// Signing out, wherever it began: relying parties hear of it by back-channel logout, live or after a change of password.
import { afterEach, expect, it } from '@jest/globals'
import { disable, requireChange, revokeSessions } from '../../src/admin/standing.ts'
import { erase } from '../../src/admin/delete.ts'
import { requireRegistration } from '../../src/admin/registration.ts'
import type { Act } from '../../src/admin/act.ts'
import { newAccount } from '../../src/domain/accounts.ts'
import type { Store } from '../../src/domain/ports.ts'
import { createMethods } from '../../src/methods/index.ts'
import { raising } from '../../src/outbox.ts'
import { type Browser, hidden, type Response } from '../browser.ts'
import { office } from '../cli/office.ts'
import { byPerson, bySession, here, type Receiver, receiver } from '../receiver.ts'
import { type Database, eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, RP, type World, type WorldOptions, world } from '../world.ts'
import { choose, gates, newPassword, owner } from './owner.ts'
import { at, returned } from './steps.ts'

const policy = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }

const asking = { rp: { prompts: ['change_password'] } }

interface Place {
  w: World
  r: Receiver
  /** Signs in, or on, at a relying party; answers the claims of its ID token. */
  visit(b: Browser, client: string, username?: string): Promise<Record<string, unknown>>
}

let open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.toReversed()) await close()
  open = []
})

async function place(store: Store, more: WorldOptions = {}): Promise<Place> {
  let issuer = ''
  const r = await receiver(() => issuer)
  const clients = [
    bySession('shop', r.uri('shop')),
    bySession('blog', r.uri('blog')),
    byPerson('old', r.uri('old')),
    { ...byPerson('deaf', ''), backchannel_logout_uri: undefined },
    { ...byPerson('rp', ''), backchannel_logout_uri: undefined },
  ]
  const { options, ...rest } = more
  const w = await world({
    store,
    policy,
    clients,
    ...rest,
    options: { outgoing: here, ...options },
  })
  issuer = w.issuer
  let closed: Promise<void> | undefined
  const { close } = w
  w.close = () => (closed ??= close())
  open.push(
    () => r.close(),
    () => w.close(),
  )
  return {
    w,
    r,
    async visit(b, client, username) {
      await b.open(w.authorize({ client_id: client }))
      if (b.page.page === 'sign-in' && username !== undefined) {
        await b.submit({ username, password: passwordOf(username), action: 'continue' })
      }
      if (!b.now?.location) throw new Error(`not signed in: ${at(b)}`)
      const code = new URL(b.now.location).searchParams.get('code') ?? ''
      const answer = await fetch(`${w.issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${client}:${client}-secret`).toString('base64')}` },
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code,
          redirect_uri: `${RP}/cb`,
          code_verifier: 'a-code-verifier-of-more-than-forty-three-characters',
        }),
      })
      const { id_token: token = '' } = (await answer.json()) as { id_token?: string }
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}') as object
      return { ...claims, token }
    },
  }
}

async function signOut(w: World, b: Browser, more: Record<string, string> = {}): Promise<Response> {
  await b.open(`${w.issuer}/session/end?${new URLSearchParams(more)}`)
  return b.open(
    await b.request(`${w.issuer}/session/end/confirm`, { form: { ...hidden(b.now?.html ?? ''), logout: 'yes' } }),
  )
}

const trail = async (w: World, id: string, least: number) => {
  for (let tries = 0; tries < 1000; tries++) {
    const all = (await w.store.audit.query({ accountId: id }, 1000)).filter(
      ({ kind }) => kind === 'relying-party.notified',
    )
    if (all.length >= least) return all
    await new Promise((done) => setTimeout(done, 5))
  }
  throw new Error(`fewer than ${least} events`)
}

eachStore('signing out', (database) => {
  let opened: Promise<{ db: Database; store: Store }> | undefined
  const store = async (): Promise<Store> => {
    opened ??= database().then(async (db) => ({ db, store: await db.open() }))
    return (await opened).store
  }
  let names = 0
  const someone = (): string => `person${(names += 1)}`

  it.each(['signs in there instead', 'is asked to', 'says that it is not them'])(
    'somebody else %s: the relying parties of the session before hear that it ended',
    async (how) => {
      const { w, r, visit } = await place(await store(), { policy: { ...policy, clients: asking } })
      const [me, other] = [someone(), someone()]
      const { id } = await w.add(me)
      await w.add(other)
      const [b, theirs] = [w.browser(), w.browser()]
      const { sid } = await visit(b, 'shop', me)
      const hint = await visit(theirs, 'rp', other)
      const asks = {
        'signs in there instead': { prompt: 'login' },
        'is asked to': { id_token_hint: String(hint['token']) },
      }
      await b.open(w.authorize(asks[how as keyof typeof asks] ?? { prompt: 'change_password' }))
      if (at(b) === 'password') await b.submit({ action: 'restart' })
      else await b.submit({ username: other, password: passwordOf(other), action: 'continue' })
      expect(await r.until(1)).toEqual([expect.objectContaining({ client: 'shop', sid, sub: id })])
      expect(r.refused).toEqual([])
    },
  )

  it('a sign-out that a relying party starts is told to all that the browser was signed in to, and to them alone', async () => {
    const { w, r, visit } = await place(await store())
    const [me, other] = [someone(), someone()]
    const { id } = await w.add(me)
    await w.add(other)
    const [b, elsewhere, theirs] = [w.browser(), w.browser(), w.browser()]
    const shop = await visit(b, 'shop', me)
    const blog = await visit(b, 'blog')
    await visit(b, 'deaf')
    await visit(elsewhere, 'shop', me)
    await visit(theirs, 'shop', other)
    const back = await signOut(w, b, {
      id_token_hint: String(shop['token']),
      post_logout_redirect_uri: RP,
      state: 'out',
    })
    expect(returned(back)).toEqual({ state: 'out' })
    // The answer to the browser waited for them.
    expect(r.refused).toEqual([])
    expect(
      r.heard.map(({ client, sub, sid }) => ({ client, sub, sid })).sort((x, y) => (x.client < y.client ? -1 : 1)),
    ).toEqual([
      { client: 'blog', sub: id, sid: blog['sid'] },
      { client: 'shop', sub: id, sid: shop['sid'] },
    ])
    expect(new Set(r.heard.map(({ jti }) => jti)).size).toBe(2)
    expect((await trail(w, id, 2)).map(({ client, outcome }) => `${client} ${outcome}`).sort()).toEqual([
      'blog success',
      'shop success',
    ])
    expect(returned(await b.open(w.authorize({ client_id: 'shop', prompt: 'none' })))).toMatchObject({
      error: 'login_required',
    })
    expect(returned(await elsewhere.open(w.authorize({ client_id: 'shop', prompt: 'none' })))).toHaveProperty('code')
  })

  it('SE-2: a reset is told to every relying party of every browser; one that knows no sessions is told once', async () => {
    const { w, r, visit } = await place(await store())
    const who = await owner(w, someone(), { methods: ['totp', 'recovery-codes'] })
    const stay = someone()
    await w.add(stay)
    const signIn = async (b: Browser, client: string) => {
      await b.open(w.authorize({ client_id: client }))
      await b.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
      w.clock.tick(30_000)
      const { totpCode } = await import('../authenticator.ts')
      await b.submit({ code: totpCode(who.secret, w.clock.now()), action: 'continue' })
      return visit(b, client)
    }
    const [laptop, phone, theirs, b] = [w.browser(), w.browser(), w.browser(), w.browser()]
    const told = [
      { client: 'shop', sid: (await signIn(laptop, 'shop'))['sid'] },
      { client: 'blog', sid: (await visit(laptop, 'blog'))['sid'] },
      { client: 'shop', sid: (await signIn(phone, 'shop'))['sid'] },
      { client: 'old', sid: undefined },
    ]
    await visit(laptop, 'old')
    await visit(phone, 'old')
    await visit(laptop, 'deaf')
    await visit(theirs, 'shop', stay)
    expect(told.slice(0, 3).every(({ sid }) => typeof sid === 'string')).toBe(true)
    await gates(w, b, who)
    await choose(b, newPassword())
    expect(b.page.page).toBe('changed')
    const heard = await r.until(4)
    const key = ({ client, sid }: { client: string; sid?: unknown }) => `${client} ${String(sid)}`
    expect(heard.map(key).sort()).toEqual(told.map(key).sort())
    expect(heard.every(({ sub }) => sub === who.id)).toBe(true)
    expect(r.refused).toEqual([])
    await trail(w, who.id, 4)
    // Looked at once more a minute later, for what a request in flight saved: nobody is told twice.
    w.clock.tick(61_000)
    await w.self.signOut(stay)
    await w.self.signOut((await w.account(stay)).id)
    await r.until(1, ({ sub }) => sub !== who.id)
    expect(r.heard).toHaveLength(5)
  })

  it('the browser that changed its password stays signed in; its relying parties are told of the old session', async () => {
    const { w, r, visit } = await place(await store(), {
      policy: { ...policy, clients: { shop: { prompts: ['change_password'] } } },
    })
    const me = someone()
    await w.add(me)
    const b = w.browser()
    const before = await visit(b, 'shop', me)
    await b.open(w.authorize({ client_id: 'shop', prompt: 'change_password' }))
    for (let page = 0; page < 8 && b.page.page !== 'new-password'; page++) {
      if (b.page.page === 'prove') await b.submit({ code: await w.code(`${me}@example.org`), action: 'continue' })
      else if (b.page.page === 'password') await b.submit({ password: passwordOf(me), action: 'continue' })
      else await b.submit({ action: 'continue' })
    }
    const fresh = newPassword()
    await b.submit({
      current_password: passwordOf(me),
      new_password: fresh,
      confirm_password: fresh,
      action: 'continue',
    })
    if (!b.now?.location) await b.submit({ action: 'continue' })
    expect(returned(b.now as Response)).toHaveProperty('code')
    const [heard] = await r.until(1)
    expect(heard).toMatchObject({ client: 'shop', sid: before['sid'] })
    const after = await visit(b, 'shop')
    expect(after['sid']).toEqual(expect.any(String))
    expect(after['sid']).not.toBe(before['sid'])
    expect(r.heard).toHaveLength(1)
  })

  const acting = { actor: 'cli:root', at: Date.now(), id: () => `event-${Math.random()}` }
  const acts: Record<string, Act> = {
    disable: disable(acting),
    'require-change': requireChange(acting),
    'revoke-sessions': revokeSessions(acting),
    'require-registration': requireRegistration(acting, { policy: defaultPolicy, traits: createMethods() }),
    delete: erase(acting),
  }

  it('every act of an administrator that raises the epoch has an event that is known to raise it', () => {
    const account = {
      ...newAccount('a', 1),
      email: 'a@b.example',
      emailVerified: true,
      credentials: [{ id: 'c', method: 'totp', label: '', addedAt: 1, data: {} }],
    }
    for (const act of Object.values(acts)) {
      const outcome = act({ ...account, password: { hash: 'x', changedAt: 1 } })
      if (!('account' in outcome)) throw new Error(JSON.stringify(outcome))
      expect(outcome.account.epoch).toBe(2)
      expect(outcome.events.some(({ kind }) => raising.has(kind))).toBe(true)
    }
  })

  it.each(Object.keys(acts))(
    'users %s, by the command line without provider or keys: a server tells',
    async (act) => {
      await store()
      const desk = await office((await opened)?.db as Database)
      open.push(() => desk.close())
      const { w, r, visit } = await place(await store())
      const me = someone()
      const address = { id: 'c', method: 'email', label: '', addedAt: 1, data: { address: `${me}@example.org` } }
      const { id } = await w.add(me, { credentials: [address] })
      const { sid } = await visit(w.browser(), 'shop', me)
      const { code, err } = await desk.cli('users', act, me, ...(/delete|registration/.test(act) ? ['--yes'] : []))
      expect({ code, err }).toEqual({ code: 0, err: '' })
      const [heard] = await r.until(1)
      expect(heard).toMatchObject({ client: 'shop', sub: id, sid })
      await trail(w, id, 1)
      if (act === 'delete') expect(await w.store.accounts.find(id)).toBeUndefined()
    },
    20_000,
  )

  it('host: signOut() tells, also of somebody whom the directory no longer knows', async () => {
    const { w, r, visit } = await place(await store())
    const [me, gone] = [someone(), someone()]
    const { id } = await w.add(me)
    const other = await w.add(gone)
    const { sid } = await visit(w.browser(), 'shop', me)
    const theirs = await visit(w.browser(), 'blog', gone)
    await w.self.signOut(id)
    expect(await r.until(1)).toMatchObject([{ client: 'shop', sub: id, sid }])
    await w.store.accounts.remove(other.id, (await w.account(gone)).version)
    await w.self.signOut(other.id)
    expect((await r.until(2)).at(-1)).toMatchObject({ client: 'blog', sub: other.id, sid: theirs['sid'] })
  })

  it("SE-9: whom the host's directory disables is signed out at the relying parties at the first look that sees it", async () => {
    const person = { id: someone(), username: '', email: 'a@b.example', emailVerified: true, disabled: false }
    person.username = person.id
    const { w, r, visit } = await place(await store(), {
      directory: {
        find: async (id) => (id === person.id ? { ...person } : undefined),
        findByUsername: async (name) => (name === person.username ? { ...person } : undefined),
        verify: async (_id, password) => !person.disabled && password === passwordOf(person.username),
      },
    })
    const b = w.browser()
    const { sid } = await visit(b, 'shop', person.username)
    person.disabled = true
    expect(returned(await b.open(w.authorize({ client_id: 'shop', prompt: 'none' })))).toHaveProperty('error')
    expect(await r.until(1)).toMatchObject([{ client: 'shop', sub: person.id, sid }])
    const events = await w.store.audit.query({ accountId: person.id, kind: 'account.disabled' }, 10)
    expect(events).toMatchObject([{ outcome: 'success', actor: 'directory' }])
  })

  it('a relying party that is gone since is no failure', async () => {
    const shared = await store()
    const before = await place(shared)
    const me = someone()
    const { id } = await before.w.add(me)
    const b = before.w.browser()
    const { sid } = await before.visit(b, 'shop', me)
    await before.visit(b, 'blog')
    await before.w.close()
    const { w, r } = await place(shared, { clients: [] })
    await w.self.signOut(id)
    for (let tries = 0; tries < 1000 && (await shared.rows.older('Session', id, 99)).length > 0; tries++) {
      await new Promise((done) => setTimeout(done, 5))
    }
    expect(await shared.rows.older('Session', id, 99)).toEqual([])
    expect(await trail(w, id, 0)).toEqual([])
    expect([sid, r.asked(), before.r.asked()]).toEqual([expect.any(String), 0, 0])
  })

  it('what could not be told while the browser waited is told later, and once', async () => {
    const { w, r, visit } = await place(await store())
    const me = someone()
    const { id } = await w.add(me)
    const b = w.browser()
    const { sid } = await visit(b, 'shop', me)
    r.answer = (_request, response) => void response.writeHead(503).end()
    await signOut(w, b)
    expect(at(b)).toBe('message')
    expect(r.heard).toEqual([])
    r.answer = (_request, response) => void response.writeHead(204).end()
    w.clock.tick(3000)
    expect(await r.until(1)).toMatchObject([{ client: 'shop', sub: id, sid }])
    const events = await trail(w, id, 2)
    expect(events.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['failure', 'status_503'],
      ['success', undefined],
    ])
  })
})
