// `kill -9` before every write to the store, and before the answer, of every form of a reset and of a change of password.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { opaqueId } from '../../src/domain/codes.ts'
import type { Account } from '../../src/domain/types.ts'
import { createGate } from '../../src/passwords/gate.ts'
import { createPasswords } from '../../src/passwords/hash.ts'
import { realChance } from '../../src/server/chance.ts'
import { freePort, hasMongo, mongo } from '../mongo.ts'
import { type MailServer, mailServer } from '../senders/mail-server.ts'
import { type Doomed, doomed, inLanes, registeredBefore } from './doomed.ts'
import { authorize, codeAt, mailedCode, type Person, post, reload, where } from './person.ts'
import type { Program } from './program.ts'
import { password, type Site, site } from './site.ts'

/** The clock of the servers stands still here, in the middle of a step; later, leases are over and mails may be asked for. */
const NOON = Math.floor(Date.now() / 30_000) * 30_000 + 15_000
const LATER = NOON + 61_000

const chosen = 'otter lamp and seven kites'

interface Walker extends Person {
  account: Account
  dies: { step: string; at: string }
  /** What was posted last. */
  posted?: Record<string, string>
}

interface Step {
  name: string
  form(walker: Walker, s: Site): Promise<Record<string, string>> | Record<string, string>
}
interface Walk {
  event: 'password.reset' | 'password.changed'
  /** To the first page, while nothing dies. */
  begin(walker: Walker, s: Site): Promise<unknown>
  steps: readonly Step[]
}

const filed = ({ username }: Person): string => `${username}@example.org`
const registered = ({ username }: Person): string => `${username}@second.example`
const choosing = { new_password: chosen, confirm_password: chosen, action: 'continue' }

const reset: Walk = {
  event: 'password.reset',
  async begin({ browser }, s) {
    // Everybody comes through one address here, and floods it.
    for (const key of ['resets:127.0.0.1', 'source:127.0.0.1']) await s.store.budgets.clear(key)
    await browser.open(authorize(s))
    await browser.submit({ action: 'forgot' })
  },
  steps: [
    { name: 'name', form: ({ username }) => ({ username, action: 'continue' }) },
    { name: 'first method', form: () => ({ method: 'totp' }) },
    { name: 'first gate', form: ({ secret }) => ({ code: codeAt(secret ?? '', NOON), action: 'continue' }) },
    { name: 'second method', form: () => ({ method: 'email' }) },
    {
      name: 'second gate',
      form: async (walker, s) => ({ code: await mailedCode(s.mail, registered(walker)), action: 'continue' }),
    },
    { name: 'new password', form: () => choosing },
    { name: 'acknowledged', form: () => ({ action: 'continue' }) },
  ],
}

const change: Walk = {
  event: 'password.changed',
  async begin({ browser, username, secret }, s) {
    await browser.open(authorize(s))
    await browser.submit({ username, password, action: 'continue' })
    await browser.submit({ code: codeAt(secret ?? '', NOON, -1), action: 'continue' })
    await browser.open(`${s.issuer}/change-password`)
  },
  steps: [
    { name: 'password again', form: () => ({ password, action: 'continue' }) },
    { name: 'changed password', form: () => choosing },
  ],
}

let names = 0
async function walker(s: Site, dies: Walker['dies']): Promise<Walker> {
  const username = `user${++names}`
  const id = opaqueId(realChance)
  const address = registered({ username, browser: s.browser() })
  const { codes, secret, credentials } = registeredBefore(s, id, { now: NOON, address })
  return { username, browser: s.browser(), dies, codes, secret, account: await s.add(username, { id, credentials }) }
}

/** One form, not followed; false when the connection was cut. */
async function take(w: Walker, s: Site, step: Step, failpoint: string): Promise<boolean> {
  w.posted = await step.form(w, s)
  try {
    const answer = await post(w.browser, w.posted, { 'x-failpoint': failpoint })
    await w.browser.open(answer)
    return true
  } catch (error) {
    // The error of `fetch` comes from outside of the test's realm.
    if ((error as Error).message === 'fetch failed') return false
    throw error
  }
}

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    if (await done()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function delivered(s: Site, { username }: Person): Promise<boolean> {
  const { id, outbox } = await s.account(username)
  const trail = await s.store.audit.query({ accountId: id }, 1000)
  return outbox.every((event) => trail.some((one) => one.id === event.id))
}

/** Every place of every form where a server can die, with what it does in the background. */
async function measure(s: Site, { begin, steps }: Walk, server: Doomed): Promise<Walker['dies'][]> {
  const w = await walker(s, { step: '', at: '' })
  await begin(w, s)
  const points: Walker['dies'][] = []
  for (const step of steps) {
    const name = `${w.username}-${step.name.replaceAll(' ', '-')}`
    expect([step.name, await take(w, s, step, `${name}:never`)]).toEqual([step.name, true])
    await until(() => delivered(s, w))
    await new Promise((resolve) => setTimeout(resolve, 50))
    const writes = await server.count(name)
    for (let at = 0; at < writes; at++) points.push({ step: step.name, at: String(at) })
    points.push({ step: step.name, at: 'answer' })
  }
  return points
}

async function walk(w: Walker, s: Site, { begin, steps }: Walk, server: Doomed): Promise<void> {
  await begin(w, s)
  for (const step of steps) {
    if (step.name === w.dies.step) {
      await take(w, s, step, `${w.username}:${w.dies.at}`)
      return server.waitFor(w.username)
    }
    if (!(await take(w, s, step, ''))) throw new Error(`${w.username} was cut off at ${step.name}`)
  }
}

/** From the page in the window to the new password; false when a mail has to be waited for. */
async function home(w: Walker, s: Site, now: number): Promise<boolean> {
  const { browser } = w
  const codes = [codeAt(w.secret ?? '', NOON), codeAt(w.secret ?? '', now, 1)]
  const seen: string[] = []
  for (let steps = 0; steps < 25; steps++) {
    const { page, method, problem } = browser.page
    seen.push(where(browser))
    if (problem === 'too_many_mails') return false
    if (page === 'changed' || page === 'sign-in' || browser.now?.url.includes('/self-service/return')) return true
    if (page === 'forgot') await browser.submit({ username: w.username, action: 'continue' })
    else if (page === 'choose-method')
      await browser.submit({ method: browser.now?.html.includes('value="totp"') ? 'totp' : 'email' })
    else if (page === 'message') await browser.submit({ action: 'continue' })
    else if (page === 'password') await browser.submit({ password, action: 'continue' })
    else if (page === 'new-password') await browser.submit(choosing)
    else if (method === 'totp') await browser.submit({ code: codes.shift() ?? '', action: 'continue' })
    else if (method === 'email') {
      const code = await mailedCode(s.mail, registered(w), 1, 1500).catch(() => undefined)
      if (code !== undefined && problem !== 'wrong_code') await browser.submit({ code, action: 'continue' })
      else {
        await browser.submit({ action: 'resend' })
        // The mail that is on its way now, not the one before.
        if (browser.page.problem !== 'too_many_mails') await new Promise((resolve) => setTimeout(resolve, 500))
      }
    } else break
  }
  throw new Error(`${w.username} (${JSON.stringify(w.dies)}) walks in circles: ${seen.join(', ')}`)
}

const notices = (mail: MailServer, to: string): number =>
  mail.received.filter((one) => one.to.includes(to) && /^Subject: .*password .*was (reset|changed)/im.test(one.raw))
    .length

for (const name of ['SQLite', 'MongoDB']) {
  const suite = name === 'MongoDB' && !hasMongo() ? describe.skip : describe
  suite(`kill -9 in a reset and in a change (${name})`, () => {
    let s: Site
    let drop = async (): Promise<void> => undefined
    beforeAll(async () => {
      const server = name === 'MongoDB' ? await mongo() : undefined
      const database = `reset_${randomBytes(6).toString('hex')}`
      if (server) drop = () => server.drop(database)
      s = await site({ store: server?.uri(database) ?? 'sqlite:' })
    }, 60_000)
    afterAll(async () => {
      await s?.close()
      await drop()
    })

    const stands = async (w: Walker): Promise<'old' | 'new' | 'neither'> => {
      const { password: now } = await s.account(w.username)
      if (now?.hash === w.account.password?.hash) return 'old'
      const check = createPasswords({ keys: s.keys.prehash, cost: 10, pool: createGate({ atOnce: 2 }) })
      return (await check.verify(chosen, now?.hash)).ok ? 'new' : 'neither'
    }

    it('DB-1, RS-17: before every write: before or after, never between; after it the page says so; each address hears once', async () => {
      const server = await doomed(s, NOON)
      const everyone: { w: Walker; way: Walk }[] = []
      for (const way of [reset, change]) {
        for (const dies of await measure(s, way, server)) everyone.push({ w: await walker(s, dies), way })
      }
      await inLanes(everyone, ({ w, way }) => walk(w, s, way, server))
      // What was queued left: a mail handed over but not yet noted is another test's (DB-11).
      await until(async () => (await s.store.mails.size()) === 0)
      s.drop(server.program)
      await server.program.kill()
      const missed = everyone.filter(({ w }) => !server.frozen.has(w.username)).map(({ w }) => w.dies)
      console.info(`${name}: kills ${everyone.length - missed.length}/${everyone.length}`)
      // The last write in the background may find nothing left to do.
      expect(missed.length).toBeLessThanOrEqual(1)

      const happened = async ({ account: { id }, username }: Walker, kind: Walk['event']): Promise<number> => {
        const trail = await s.store.audit.query({ accountId: id, kind }, 10)
        const { outbox } = await s.account(username)
        return new Set([...trail, ...outbox.filter((one) => one.kind === kind)].map((event) => event.id)).size
      }
      const atDeath = new Map<Walker, string>()
      for (const { w, way } of everyone) {
        const { epoch } = await s.account(w.username)
        const now = await stands(w)
        atDeath.set(w, now)
        const events = await happened(w, way.event)
        expect([w.dies, now, epoch, events]).toEqual([w.dies, ...(epoch === 1 ? ['old', 1, 0] : ['new', 2, 1])])
      }
      expect(new Set(atDeath.values())).toEqual(new Set(['old', 'new']))

      const again = await s.serve({ watched: true, env: { CLOCK: String(NOON) } })
      const waiting: Walker[] = []
      await inLanes(everyone, async ({ w, way }) => {
        const died = atDeath.get(w)
        if (w.dies.step === 'new password' && died === 'new') {
          // Reloaded or posted again: never back to a gate.
          for (const how of ['reload', 'post'] as const) {
            // It may have died in the background, with the next page in the window already.
            if (how === 'post' && w.browser.page.page !== 'new-password') continue
            const one: Walker = { ...w, browser: w.browser.clone() }
            if (how === 'reload') await one.browser.open(one.browser.now?.url ?? '')
            else await one.browser.open(await post(one.browser, w.posted ?? {}))
            expect([w.dies, how, where(one.browser)]).toEqual([w.dies, how, 'changed'])
          }
        }
        if (w.dies.step === 'first gate' && (await s.account(w.username)).spent) {
          const thief: Walker = { ...w, browser: s.browser() }
          await reset.begin(thief, s)
          await thief.browser.submit({ username: w.username, action: 'continue' })
          await thief.browser.submit({ method: 'totp' })
          await thief.browser.submit(w.posted ?? {})
          expect([w.dies, ['code_used', 'wrong_code'].includes(thief.browser.page.problem ?? '')]).toEqual([
            w.dies,
            true,
          ])
        }
        if (way === change && died === 'new') return
        await reload(w, s)
        if (way === reset && w.browser.page.page === 'sign-in' && died === 'old') await reset.begin(w, s)
        if (!(await home(w, s, NOON))) waiting.push(w)
      })
      s.drop(again)
      await until(async () => (await s.store.mails.size()) === 0)
      expect((await again.stop()).code).toBe(0)

      // Two processes at once sweep what the dead one left behind.
      const later = await Promise.all([1, 2].map(() => s.serve({ watched: true, env: { CLOCK: String(LATER) } })))
      await inLanes(waiting, async (w) => {
        await w.browser.open(w.browser.now?.url ?? '')
        expect([w.dies, await home(w, s, LATER)]).toEqual([w.dies, true])
      })
      for (const { w, way } of everyone) {
        await until(async () => (await delivered(s, w)) && (await s.store.mails.size()) === 0)
        await until(async () => notices(s.mail, filed(w)) > 0 && notices(s.mail, registered(w)) > 0)
        const { epoch } = await s.account(w.username)
        expect([w.dies, await stands(w), epoch, await happened(w, way.event)]).toEqual([w.dies, 'new', 2, 1])
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
      for (const { w } of everyone) {
        const told = [filed(w), registered(w)].map((to) => notices(s.mail, to))
        expect([w.dies, told]).toEqual([w.dies, [1, 1]])
      }
      // The new password signs in.
      const [one] = everyone.filter(({ w, way }) => way === change && atDeath.get(w) === 'new').map(({ w }) => w)
      const browser = s.browser()
      await browser.open(authorize(s))
      await browser.submit({ username: one?.username ?? '', password: chosen, action: 'continue' })
      expect(where(browser)).toBe('prove totp')
      for (const program of later) {
        s.drop(program)
        expect((await program.stop()).code).toBe(0)
      }
    }, 180_000)
  })
}

describe('the mail server is away between password and notice', () => {
  it('RS-17: killed meanwhile; when all are back each address hears, once', async () => {
    const port = await freePort()
    const s = await site({ store: 'sqlite:', mailPort: port })
    let mail: MailServer | undefined
    try {
      const program: Program = await s.serve()
      const w = await walker(s, { step: '', at: '' })
      await reset.begin(w, s)
      const { browser } = w
      await browser.submit({ username: w.username, action: 'continue' })
      await browser.submit({ method: 'totp' })
      await browser.submit({ code: codeAt(w.secret ?? '', Date.now()), action: 'continue' })
      await browser.submit({ method: 'recovery-codes' })
      await browser.submit({ code: w.codes?.[0] ?? '', action: 'continue' })
      await browser.submit(choosing)
      expect(where(browser)).toBe('changed')
      await program.line(({ msg }) => msg === 'a mail could not be sent and is tried again')
      s.drop(program)
      await program.kill()
      mail = await mailServer({ port })
      // Leases of the dead process are over.
      const env = { CLOCK: String(Date.now() + 120_000) }
      const later = await Promise.all([1, 2].map(() => s.serve({ watched: true, env })))
      const server = mail
      await until(async () => notices(server, filed(w)) > 0 && notices(server, registered(w)) > 0)
      await until(async () => (await s.store.mails.size()) === 0)
      expect([filed(w), registered(w)].map((to) => notices(server, to))).toEqual([1, 1])
      for (const one of later) await one.stop()
    } finally {
      await s.close()
      await mail?.close()
    }
  }, 60_000)
})
