import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { Mail, Mailer, MailJob, MailStore } from '../../src/domain/ports.ts'
import { createSmtpMailer, MailRefused } from '../../src/senders/mail.ts'
import { createPost, retryAfter } from '../../src/senders/post.ts'
import { testChance } from '../domain/chance.ts'
import { mailServer } from './mail-server.ts'

const keys = { seal: [{ id: 's', key: randomBytes(32) }] as const }
const mail: Mail = { to: 'alice@example.org', subject: 'Your code', text: 'Code 12345678', html: '<p>12345678</p>' }
const MINUTE = 60_000

function memoryMails() {
  const jobs = new Map<string, MailJob>()
  let down = false
  const asked = async <T>(answer: () => T): Promise<T> => {
    await Promise.resolve()
    if (down) throw new Error('store down')
    return answer()
  }
  const mails: MailStore = {
    put: (job) => asked(() => void (jobs.has(job.id) || jobs.set(job.id, job))),
    lease: (now, leaseUntil) =>
      asked(() => {
        const [first] = [...jobs.values()].filter(({ dueAt }) => dueAt <= now).sort((one, two) => one.dueAt - two.dueAt)
        if (!first) return undefined
        const leased = { ...first, dueAt: leaseUntil, attempts: first.attempts + 1 }
        jobs.set(first.id, leased)
        return leased
      }),
    remove: (id) => asked(() => void jobs.delete(id)),
    retry: (id, dueAt) =>
      asked(() => {
        const job = jobs.get(id)
        if (job) jobs.set(id, { ...job, dueAt })
      }),
    size: () => asked(() => jobs.size),
  }
  return {
    mails,
    jobs,
    down: (now: boolean) => {
      down = now
    },
  }
}

/** A mailer that does what the test says, mail by mail. */
function scripted(behave: (mail: Mail, count: number) => void | Promise<void> = () => undefined) {
  const sent: Mail[] = []
  let count = 0
  let healthy = true
  const mailer: Mailer = {
    async send(one) {
      count++
      healthy = false
      await behave(one, count)
      healthy = true
      sent.push(one)
    },
    healthy: () => healthy,
    close: async () => undefined,
  }
  return { mailer, sent, count: () => count }
}

function office(mailer: Mailer, store = memoryMails(), chance = testChance()) {
  const lines: { level: string; facts: object; text: string }[] = []
  const line = (level: string) => (facts: object, text: string) => void lines.push({ level, facts, text })
  let look: (() => void) | undefined
  const post = createPost({
    mails: store.mails,
    mailer,
    keys,
    chance,
    log: { info: line('info'), warn: line('warn'), error: line('error') },
    timers: {
      every(_period, run) {
        look = run
        return () => {
          look = undefined
        }
      },
    },
  })
  return { post, chance, lines, ...store, look: () => look?.(), ticking: () => look !== undefined }
}

/** Lets everything that is under way and waits for no socket come to its end. */
const settled = async () => {
  for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve))
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

describe('the mail queue', () => {
  it('sends after a kick and not before, and forgets what was sent', async () => {
    const { mailer, sent } = scripted()
    const { post, chance, jobs } = office(mailer)
    await post.put('1', mail, chance.now() + 10 * MINUTE)
    await settled()
    expect(sent).toEqual([])
    post.kick()
    await settled()
    expect(sent).toEqual([mail])
    expect(jobs.size).toBe(0)
    expect(post.healthy()).toBe(true)
  })

  it('OC-7: neither address nor code lies readable in the store, and a job cannot be put under another id', async () => {
    const { mailer, sent } = scripted()
    const { post, chance, jobs, lines } = office(mailer)
    await post.put('1', mail, chance.now() + MINUTE)
    const dump = JSON.stringify([...jobs])
    expect(dump).not.toContain('alice')
    expect(dump).not.toContain('12345678')
    const job = jobs.get('1')
    if (!job) throw new Error('not queued')
    jobs.clear()
    jobs.set('2', { ...job, id: '2' })
    post.kick()
    await settled()
    expect(sent).toEqual([])
    expect(lines).toHaveLength(1)
  })

  it('queues one id once', async () => {
    const { mailer, sent } = scripted()
    const { post, chance } = office(mailer)
    await post.put('1', mail, chance.now() + MINUTE)
    await post.put('1', { ...mail, subject: 'again' }, chance.now() + MINUTE)
    post.kick()
    await settled()
    expect(sent).toEqual([mail])
  })

  it('two processes on one store send each mail once', async () => {
    const { mailer, sent } = scripted(() => new Promise((resolve) => setImmediate(resolve)))
    const store = memoryMails()
    const chance = testChance()
    const [one, two] = [office(mailer, store, chance), office(mailer, store, chance)]
    for (let count = 0; count < 50; count++) {
      await one.post.put(String(count), { ...mail, subject: String(count) }, chance.now() + MINUTE)
    }
    one.post.kick()
    two.post.kick()
    await one.post.stop()
    await two.post.stop()
    expect(sent).toHaveLength(50)
    expect(new Set(sent.map(({ subject }) => subject)).size).toBe(50)
  })

  it('what is put while it sends is sent too', async () => {
    const { mailer, sent } = scripted()
    const { post, chance } = office(mailer)
    await post.put('1', mail, chance.now() + MINUTE)
    post.kick()
    await post.put('2', mail, chance.now() + MINUTE)
    post.kick()
    await settled()
    expect(sent).toHaveLength(2)
  })

  it('what is put after the last look, and before that look is answered, is sent too', async () => {
    const { mailer, sent } = scripted()
    const store = memoryMails()
    let answerLooks = (): void => undefined
    const held = new Promise<void>((resolve) => {
      answerLooks = resolve
    })
    const lease: MailStore['lease'] = async (now, leaseUntil) => {
      const job = await store.mails.lease(now, leaseUntil)
      await held
      return job
    }
    const { post, chance } = office(mailer, { ...store, mails: { ...store.mails, lease } })
    post.kick()
    await settled()
    await post.put('1', mail, chance.now() + MINUTE)
    post.kick()
    answerLooks()
    await settled()
    expect(sent).toEqual([mail])
  })

  it('tries again with growing pauses, and says so without the address', async () => {
    const { mailer, sent, count } = scripted((_mail, count) => {
      if (count < 4) throw Object.assign(new Error('alice@example.org: no route'), { code: 'ECONNREFUSED' })
    })
    const { post, chance, lines, look } = office(mailer)
    post.start()
    await post.put('1', mail, chance.now() + 10 * MINUTE)
    post.kick()
    await settled()
    expect(post.healthy()).toBe(false)
    for (const [tries, pause] of [
      [1, 2000],
      [2, 5000],
      [3, 15_000],
    ] as const) {
      expect(count()).toBe(tries)
      chance.pass(pause - 1)
      look()
      await settled()
      expect(count()).toBe(tries)
      chance.pass(1)
      look()
      await settled()
    }
    expect(sent).toEqual([mail])
    expect(post.healthy()).toBe(true)
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn'])
    expect(lines[0]?.facts).toEqual({ mail: '1', attempts: 1, error: 'Error', code: 'ECONNREFUSED' })
    expect(JSON.stringify(lines)).not.toContain('alice')
    await post.stop()
  })

  it('pauses grow to a minute', () => {
    expect([1, 2, 3, 4, 5, 6, 100].map(retryAfter)).toEqual([2000, 5000, 15_000, 30_000, 60_000, 60_000, 60_000])
  })

  it('gives up when the code in it is of no use any more', async () => {
    const { mailer, count } = scripted(() => {
      throw new Error('down')
    })
    const { post, chance, jobs, lines } = office(mailer)
    await post.put('1', mail, chance.now() + 3000)
    await post.put('2', mail, chance.now() + 3000)
    post.kick()
    await settled()
    expect(count()).toBe(2)
    chance.pass(2000)
    post.kick()
    await settled()
    expect(count()).toBe(4)
    expect(jobs.size).toBe(0)
    expect(lines.at(-1)).toMatchObject({ level: 'error', text: 'a mail could not be sent before it expired' })
  })

  it('does not send what expired while no process ran', async () => {
    const { mailer, count } = scripted()
    const { post, chance, jobs, lines } = office(mailer)
    await post.put('1', mail, chance.now() + MINUTE)
    chance.pass(MINUTE)
    post.kick()
    await settled()
    expect(count()).toBe(0)
    expect(jobs.size).toBe(0)
    expect(lines).toEqual([
      { level: 'error', facts: { mail: '1', attempts: 1 }, text: 'a mail expired before it could be sent' },
    ])
  })

  it('a mail that was refused for good is not tried again, and the others go on', async () => {
    const { mailer, sent } = scripted(({ subject }) => {
      if (subject === 'bad')
        throw new MailRefused('no', { cause: Object.assign(new Error('no'), { responseCode: 550 }) })
    })
    const { post, chance, jobs, lines } = office(mailer)
    await post.put('1', { ...mail, subject: 'bad' }, chance.now() + MINUTE)
    await post.put('2', mail, chance.now() + MINUTE)
    post.kick()
    await settled()
    expect(sent).toEqual([mail])
    expect(jobs.size).toBe(0)
    expect(lines).toMatchObject([{ level: 'error', facts: { mail: '1', responseCode: 550 } }])
  })

  it('after a crash in the middle of sending, another process sends when the lease is over', async () => {
    const store = memoryMails()
    const chance = testChance()
    const dead = office(scripted(() => new Promise(() => undefined)).mailer, store, chance)
    await dead.post.put('1', mail, chance.now() + 10 * MINUTE)
    dead.post.kick()
    await settled()
    const { mailer, sent } = scripted()
    const alive = office(mailer, store, chance)
    chance.pass(MINUTE - 1)
    alive.post.kick()
    await settled()
    expect(sent).toEqual([])
    chance.pass(1)
    alive.post.kick()
    await settled()
    expect(sent).toEqual([mail])
  })

  it('survives a store that is down, says so once, and goes on', async () => {
    const { mailer, sent } = scripted()
    const { post, chance, lines, down } = office(mailer)
    await post.put('1', mail, chance.now() + MINUTE)
    down(true)
    for (let round = 0; round < 3; round++) {
      post.kick()
      await settled()
    }
    expect(post.healthy()).toBe(false)
    expect(lines).toHaveLength(1)
    down(false)
    post.kick()
    await settled()
    expect(sent).toEqual([mail])
    expect(post.healthy()).toBe(true)
  })

  it('OP-9: stopping sends what is due, waits for what is on its way, and looks no more', async () => {
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { mailer, sent } = scripted(() => held)
    const { post, chance, ticking } = office(mailer)
    post.start()
    await post.put('1', mail, chance.now() + MINUTE)
    post.kick()
    await settled()
    await post.put('2', mail, chance.now() + MINUTE)
    let stopped = false
    const stopping = post.stop().finally(() => {
      stopped = true
    })
    await settled()
    expect(stopped).toBe(false)
    release()
    await stopping
    expect(sent).toHaveLength(2)
    expect(ticking()).toBe(false)
    await post.put('3', mail, chance.now() + MINUTE)
    post.kick()
    await settled()
    expect(sent).toHaveLength(2)
  })

  it('over SMTP: the server is down, then up', async () => {
    const first = await mailServer()
    await first.close()
    const chance = testChance()
    const mailer = createSmtpMailer({ url: `smtp://127.0.0.1:${first.port}`, from: 'a@example.org', chance })
    const before = office(mailer, memoryMails(), chance)
    await before.post.put('1', mail, chance.now() + 10 * MINUTE)
    before.post.kick()
    await before.post.stop()
    expect(before.post.healthy()).toBe(false)
    expect(before.jobs.size).toBe(1)
    const second = await mailServer({ port: first.port })
    closing.push(() => second.close())
    closing.push(() => mailer.close())
    chance.pass(2000)
    const after = office(mailer, before, chance)
    after.post.kick()
    await after.post.stop()
    expect(second.received.map(({ to }) => to)).toEqual([['alice@example.org']])
    expect(after.jobs.size).toBe(0)
    expect(after.post.healthy()).toBe(true)
  })
})
