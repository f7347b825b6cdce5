// The mail server goes away and comes back: people are told, and the mail goes out.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { freePort } from '../mongo.ts'
import { mailServer, type MailServer } from '../senders/mail-server.ts'
import { authorize, drive, mailed, mailedCode, steady, where } from './person.ts'
import type { Program } from './program.ts'
import { password, type Site, site } from './site.ts'

describe('mail', () => {
  let s: Site
  let program: Program
  let port: number
  let later: MailServer | undefined
  beforeAll(async () => {
    port = await freePort()
    s = await site({ store: 'sqlite:', mailPort: port })
    program = await s.serve()
  })
  afterAll(async () => {
    await s?.close()
    await later?.close()
  })

  /** To the page that asks for the mailed code. */
  async function waiting(username: string) {
    await s.add(username)
    const person = { username, browser: s.browser() }
    await person.browser.open(authorize(s))
    await person.browser.submit({ username, password, action: 'continue' })
    await person.browser.submit({ action: 'continue' })
    expect(where(person.browser)).toBe('prove email')
    return person
  }

  async function emptied(): Promise<void> {
    for (let tries = 0; tries < 1000 && (await s.store.mails.size()) > 0; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(await s.store.mails.size()).toBe(0)
  }

  it('while it is down the page says so and what else works; the mail goes out when it is back', async () => {
    const alice = await waiting('alice')
    await program.line(({ msg }) => msg === 'a mail could not be sent and is tried again')
    const page = await alice.browser.open(alice.browser.now?.url ?? '')
    expect(page.status).toBe(200)
    expect(page.html).toContain('Mails are late at the moment.')
    expect(page.html).toContain('role="status"')
    // Sign-in itself works: the server is ready, and says what is wrong.
    const ready = await fetch(`http://127.0.0.1:${program.port}/readyz`)
    expect([ready.status, await ready.json()]).toEqual([200, { ok: true, store: true, mail: false }])

    later = await mailServer({ port, unknown: ['nobody@example.org'] })
    await mailedCode(later, 'alice@example.org')
    expect(await drive(alice, { site: { ...s, mail: later }, now: steady })).toContain('code=')
    expect(mailed(later, 'alice@example.org')).toHaveLength(1)
    expect((await waiting('bob')).browser.now?.html).not.toContain('Mails are late')
    await emptied()
    // LG-1: neither address nor code.
    expect(program.out()).not.toMatch(/alice|ECONNREFUSED 127/)
  }, 60_000)

  it('a recipient that the server refuses is not tried again, and keeps nobody else waiting', async () => {
    await waiting('nobody')
    const refused = await program.line(({ msg }) => msg === 'a mail was refused for good')
    expect(refused).toMatchObject({ level: 50, responseCode: 550, attempts: 1 })
    expect(JSON.stringify(refused)).not.toContain('nobody@')
    await waiting('carol')
    await mailedCode(later as MailServer, 'carol@example.org')
    await emptied()
    const ready = await fetch(`http://127.0.0.1:${program.port}/readyz`)
    expect(await ready.json()).toMatchObject({ mail: true })
  }, 30_000)

  it('OP-9: stopped while it is down: ends in time, and the mail is kept for the next start', async () => {
    await later?.close()
    await waiting('dave')
    const { code, ms } = await program.stop()
    expect([code, ms < 10_000]).toEqual([0, true])
    expect(await s.store.mails.size()).toBe(1)
    s.drop(program)
    later = await mailServer({ port })
    program = await s.serve()
    await mailedCode(later, 'dave@example.org')
  }, 30_000)
})
