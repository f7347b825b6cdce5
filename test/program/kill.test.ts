// `kill -9` before every write to the store, and before the answer, of every step of registration and sign-in.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { opaqueId } from '../../src/domain/codes.ts'
import { digest, seal, vaultFor } from '../../src/domain/seal.ts'
import type { Account, AuditEvent } from '../../src/domain/types.ts'
import { realChance } from '../../src/server/chance.ts'
import { hasMongo, mongo } from '../mongo.ts'
import { type Doomed, doomed, inLanes, registeredBefore } from './doomed.ts'
import type { Said } from './failpoint.ts'
import { authorize, codeAt, drive, exchange, mailedCode, type Person, post, reload } from './person.ts'
import { password, type Site, site } from './site.ts'

/** The clock of the servers stands still here, in the middle of a step. */
const NOON = Math.floor(Date.now() / 30_000) * 30_000 + 15_000
/** When they come back for good: leases are over, and a further mail may be asked for. */
const LATER = NOON + 61_000

interface Walker extends Person {
  account: Account
  /** Where the server dies under this person. */
  dies: { step: string; at: string }
  /** The code that was typed when it died. */
  typed?: string
}

/** One request of a walk: what is typed, and what the account has before and after it. */
interface Step {
  name: string
  before: string
  after: string
  form?: (walker: Walker, s: Site) => Promise<Record<string, string>> | Record<string, string>
  /** `answer`: picks up the answer; `token`: the relying party's own request. */
  instead?: 'answer' | 'token'
}

const address = ({ username }: Person): string => `${username}@example.org`
const types = (walker: Walker, code: string): Record<string, string> => {
  walker.typed = code
  return { code, action: 'continue' }
}

const registration: Step[] = [
  { name: 'password', before: '', after: '', form: ({ username }) => ({ username, password, action: 'continue' }) },
  { name: 'begin', before: '', after: '', form: () => ({ action: 'continue' }) },
  {
    name: 'mailed code',
    before: '',
    after: 'email',
    form: async (walker, s) => types(walker, await mailedCode(s.mail, address(walker))),
  },
  {
    name: 'authenticator',
    before: 'email',
    after: 'email totp',
    form(walker) {
      walker.secret = walker.browser.secret
      return types(walker, codeAt(walker.secret, NOON, -1))
    },
  },
  {
    name: 'recovery codes',
    before: 'email totp',
    after: 'email totp recovery-codes',
    form(walker) {
      walker.codes = walker.browser.recoveryCodes
      return { acknowledged: 'yes', action: 'continue' }
    },
  },
  {
    name: 'registered',
    before: 'email totp recovery-codes',
    after: 'email totp recovery-codes',
    form: () => ({ action: 'continue' }),
  },
  {
    name: 'answer',
    before: 'email totp recovery-codes',
    after: 'email totp recovery-codes',
    instead: 'answer',
  },
  { name: 'token', before: 'email totp recovery-codes', after: 'email totp recovery-codes', instead: 'token' },
]

const same = { before: 'email totp recovery-codes', after: 'email totp recovery-codes' }
const byPassword: Step = {
  name: 'password',
  ...same,
  form: ({ username }) => ({ username, password, action: 'continue' }),
}
const signIn: Step[] = [
  byPassword,
  { name: 'code', ...same, form: (walker) => types(walker, codeAt(walker.secret ?? '', NOON)) },
  { name: 'answer', ...same, instead: 'answer' },
  { name: 'token', ...same, instead: 'token' },
]
const byRecoveryCode: Step[] = [
  byPassword,
  { name: 'another method', ...same, form: () => ({ action: 'other_method' }) },
  { name: 'method', ...same, form: () => ({ method: 'recovery-codes' }) },
  { name: 'recovery code', ...same, form: (walker) => types(walker, walker.codes?.[0] ?? '') },
]

let names = 0
async function walker(s: Site, steps: readonly Step[], dies: Walker['dies']): Promise<Walker> {
  const username = `user${++names}`
  const browser = s.browser()
  if (steps === registration) return { username, browser, dies, account: await s.add(username) }
  const id = opaqueId(realChance)
  const { codes, secret, credentials } = registeredBefore(s, id, { now: NOON })
  return { username, browser, dies, codes, secret, account: await s.add(username, { id, credentials }) }
}

/** One request. Its answer, or undefined when the connection was cut. */
async function take(w: Walker, s: Site, step: Step, failpoint: string): Promise<boolean> {
  const headers = { 'x-failpoint': failpoint }
  const { browser } = w
  try {
    if (step.instead === 'token') {
      const { status } = await exchange(s, browser.now?.location ?? '', headers)
      return status === 200
    }
    const location = browser.now?.location ?? ''
    const fields = step.form ? await step.form(w, s) : {}
    const response =
      step.instead === 'answer' ? await browser.request(location, { headers }) : await post(browser, fields, headers)
    // The answer is picked up in a step of its own.
    const last = response.location !== undefined && !response.location.includes('/interaction/')
    if (last) browser.now = response
    else await browser.open(response)
    return true
  } catch (error) {
    // The error of `fetch` comes from outside of the test's realm.
    if ((error as Error).message === 'fetch failed') return false
    throw error
  }
}

/** Walks to the step where the server dies. */
async function walk(w: Walker, s: Site, steps: readonly Step[], server: Doomed): Promise<void> {
  await w.browser.open(authorize(s))
  for (const step of steps) {
    if (step.name !== w.dies.step) {
      if (!(await take(w, s, step, ''))) throw new Error(`${w.username} was cut off at ${step.name}`)
      continue
    }
    await take(w, s, step, `${w.username}:${w.dies.at}`)
    await server.waitFor(w.username)
    return
  }
}

/** How many writes each step makes, with all that follows in the background. */
async function measure(s: Site, steps: readonly Step[], server: Doomed): Promise<Walker['dies'][]> {
  const w = await walker(s, steps, { step: '', at: '' })
  await w.browser.open(authorize(s))
  const points: Walker['dies'][] = []
  for (const step of steps) {
    const name = `${w.username}-${step.name}`
    expect(await take(w, s, step, `${name}:never`)).toBe(true)
    for (let tries = 0; tries < 1000; tries++) {
      if (await delivered(s, await s.account(w.username))) break
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    const writes = await server.count(name)
    for (let at = 0; at < writes; at++) points.push({ step: step.name, at: String(at) })
    points.push({ step: step.name, at: 'answer' })
  }
  return points
}

const methods = ({ credentials }: Account): string => credentials.map(({ method }) => method).join(' ')

/** Committed events: in the trail, or on the account on their way there. */
async function events(s: Site, account: Account): Promise<AuditEvent[]> {
  const trail = await s.store.audit.query({ accountId: account.id }, 1000)
  const ids = new Set(trail.map(({ id }) => id))
  return [...trail, ...account.outbox.filter(({ id }) => !ids.has(id))]
}

/** What happened is in the trail; the account may forget it with its next write. */
async function delivered(s: Site, account: Account): Promise<boolean> {
  const trail = await s.store.audit.query({ accountId: account.id }, 1000)
  return account.outbox.every((event) => trail.some(({ id }) => id === event.id))
}

/** What must be true of an account at any moment, whenever the server died. */
async function consistent(s: Site, w: Walker): Promise<Account> {
  const account = await s.account(w.username)
  const said = await events(s, account)
  const count = (kind: string, method?: string): number =>
    said
      .filter((one) => one.kind === kind && one.outcome === 'success')
      .filter((one) => method === undefined || one.detail?.['method'] === method).length
  const vault = vaultFor(s.keys, account.id)

  expect(account).toMatchObject({ epoch: 1, disabled: false, password: w.account.password })
  for (const method of ['email', 'totp', 'recovery-codes']) {
    const bound = account.credentials.filter((one) => one.method === method).length
    const bornWith = w.account.credentials.filter((one) => one.method === method).length
    // LG-3: the event is there exactly when the change is.
    expect([method, bound - bornWith]).toEqual([method, count('registration.item', method)])
  }
  const complete = account.credentials.length === 3 && w.account.credentials.length === 0
  expect(count('registration.completed')).toBe(complete ? 1 : 0)
  // A browser that is known already is not added again.
  expect(account.browsers.length > 0).toBe(count('sign-in.completed') > 0)
  expect(account.browsers.length).toBeLessThanOrEqual(count('sign-in.completed'))

  // DB-10: never codes that were shown and acknowledged, but are not stored.
  const set = account.credentials.find((one) => one.method === 'recovery-codes')
  if (set) {
    const { codes } = set.data as { codes: { digest: string; usedAt?: number }[] }
    const shown = (w.codes ?? []).map((code) => code.replaceAll('-', ''))
    expect(codes).toHaveLength(10)
    expect(codes.every((code, index) => vault.matches(shown[index] ?? '', code.digest, 'recovery-codes'))).toBe(true)
    const used = codes.filter((code) => code.usedAt !== undefined).length
    expect(used).toBe(count('sign-in.proof', 'recovery-codes'))
  }
  const app = account.credentials.find((one) => one.method === 'totp')
  if (app && w.account.credentials.length > 0) {
    const spent = (app.data as { lastStep: number }).lastStep > 0
    expect(spent).toBe(count('sign-in.proof', 'totp') > 0)
  }
  // What a flow has seen is on the account: the flow never runs ahead of it.
  const cid = /\/interaction\/([^/?]+)/.exec(w.browser.now?.url ?? '')?.[1]
  const flow = cid && (await s.store.flows.find(digest(s.keys.digest, cid, ['flows', 'flow'])))
  if (flow) {
    const bound = flow.evidence.filter(({ kind }) => kind === 'enrolment' || kind === 'trust-gate')
    for (const { credential } of bound) expect(account.credentials.map(({ id }) => id)).toContain(credential)
  }
  return account
}

const stores = [
  { name: 'SQLite', suite: describe },
  { name: 'MongoDB', suite: hasMongo() ? describe : describe.skip },
]

for (const { name, suite } of stores) {
  suite(`kill -9 (${name})`, () => {
    let s: Site
    let drop = async (): Promise<void> => undefined
    beforeAll(async () => {
      if (name === 'SQLite') s = await site({ store: 'sqlite:' })
      else {
        const server = await mongo()
        const database = `killed_${randomBytes(6).toString('hex')}`
        drop = () => server.drop(database)
        s = await site({ store: server.uri(database) })
      }
    })
    afterAll(async () => {
      await s?.close()
      await drop()
    })

    it('DB-1, DB-10, LG-3: before every write of every step: before or after, never between; everybody can finish', async () => {
      const server = await doomed(s, NOON)
      const everyone: { w: Walker; steps: readonly Step[] }[] = []
      for (const steps of [registration, signIn, byRecoveryCode]) {
        const points = await measure(s, steps, server)
        for (const dies of points) everyone.push({ w: await walker(s, steps, dies), steps })
      }
      await inLanes(everyone, ({ w, steps }) => walk(w, s, steps, server))
      s.drop(server.program)
      await server.program.kill()

      const missed = everyone.filter(({ w }) => !server.frozen.has(w.username)).map(({ w }) => w.dies)
      console.info(`${name}: failpoints hit ${everyone.length - missed.length}/${everyone.length}`)
      expect(missed).toEqual([])

      for (const { w, steps } of everyone) {
        const account = await consistent(s, w)
        const step = steps.find((one) => one.name === w.dies.step)
        expect([step?.before, step?.after]).toContain(methods(account))
      }

      // The same moment on the same clock: nothing that was spent can be spent again.
      const again = await s.serve({ watched: true, env: { CLOCK: String(NOON) } })
      const proofs = everyone.filter(({ w }) => ['code', 'recovery code'].includes(w.dies.step))
      await inLanes(proofs, async ({ w }) => {
        const account = await s.account(w.username)
        const spent = account.spent !== undefined
        const thief: Walker = { ...w, browser: s.browser() }
        if (!spent) return
        await thief.browser.open(authorize(s))
        await thief.browser.submit({ username: w.username, password, action: 'continue' })
        if (w.dies.step === 'recovery code') await thief.browser.submit({ method: 'recovery-codes' })
        await thief.browser.submit({ code: w.typed ?? '', action: 'continue' })
        expect([w.dies, thief.browser.page.problem]).toEqual([w.dies, 'code_used'])
      })

      const waiting: Walker[] = []
      const home = async (w: Walker, now: number): Promise<boolean> => {
        // What was typed when it died is typed again; then the app's next one.
        const codes = w.dies.step === 'code' ? [0, 1, 1] : w.secret === undefined ? [-1] : [1, 1]
        const patience = now === NOON ? 3000 : 1500
        const back = await drive(w, { site: s, now: () => now, codes, patience })
        if (back === undefined) return false
        let tokens = await exchange(s, back)
        if (w.dies.step === 'token' && tokens.status !== 200) {
          // The code was spent, and its tokens were lost with the answer: the session is still good for another one.
          expect(tokens.error).toBe('invalid_grant')
          await w.browser.open(authorize(s))
          tokens = await exchange(s, w.browser.now?.location ?? '')
        }
        expect([w.dies, tokens.status, tokens.claims['amr']]).toEqual([w.dies, 200, ['pwd', 'otp', 'mfa']])
        expect((await exchange(s, w.browser.now?.location ?? '')).status).toBe(400)
        return true
      }
      await inLanes(everyone, async ({ w }) => {
        if (w.dies.step !== 'token') await reload(w, s)
        if (!(await home(w, NOON))) waiting.push(w)
      })
      expect(again.alive()).toBe(true)
      s.drop(again)
      expect((await again.stop()).code).toBe(0)

      // A minute later: leases are over, and whoever waits for a mail may ask for another one.
      const later = await s.serve({ watched: true, env: { CLOCK: String(LATER) } })
      await inLanes(waiting, async (w) => {
        // The mail was not queued yet, or its code had bound the address already: another one is needed.
        expect(['begin', 'mailed code']).toContain(w.dies.step)
        await reload(w, s)
        expect(await home(w, LATER)).toBe(true)
      })

      // The sweep at the start brought what the dead process left behind.
      for (const { w } of everyone) {
        for (let tries = 0; tries < 400 && !(await delivered(s, await s.account(w.username))); tries++) {
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
        expect([w.dies, await delivered(s, await s.account(w.username))]).toEqual([w.dies, true])
      }
      for (const { w } of everyone) expect(methods(await consistent(s, w))).toBe('email totp recovery-codes')
      expect((await later.stop()).code).toBe(0)
      s.drop(later)
    }, 120_000)

    it('DB-11: a mail that was leased, handed over or taken from the queue: sent again, and at most once too often', async () => {
      const program = await s.serve({ watched: true, env: { CLOCK: String(LATER), MAILS: 'freeze' } })
      const moments = new Map<string, string>()
      const all = new Promise<void>((resolve) => {
        program.child.on('message', (message) => {
          const said = message as Said
          if ('mail' in said) moments.set(said.mail, said.at)
          if (moments.size === 3) resolve()
        })
      })
      for (const number of [1, 2, 3]) {
        const id = `letter${number}`
        const text = { to: `${id}@example.org`, subject: 'A code', text: 'text', html: 'html' }
        const sealed = seal(s.keys.seal, JSON.stringify(text), ['mail', id])
        await s.store.mails.put({ id, sealed, dueAt: LATER, expiresAt: LATER + 600_000, attempts: 0 })
      }
      await all
      s.drop(program)
      await program.kill()
      const sent = (id: string): number => s.mail.received.filter(({ to }) => to[0] === `${id}@example.org`).length
      const expected = { leased: [0, 1], sent: [1, 2], removed: [1, 1] } as Record<string, [number, number]>
      for (const [id, at] of moments) expect([at, sent(id)]).toEqual([at, expected[at]?.[0]])

      const next = await s.serve({ watched: true, env: { CLOCK: String(LATER + 61_000) } })
      for (let tries = 0; tries < 1000 && (await s.store.mails.size()) > 0; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      for (const [id, at] of moments) expect([at, sent(id)]).toEqual([at, expected[at]?.[1]])
      await next.stop()
      s.drop(next)
    })
  })
}
