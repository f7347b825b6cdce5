import { afterEach, describe, expect, it } from '@jest/globals'
import { createSmtpMailer, MailRefused } from '../../src/senders/mail.ts'
import { createOutbox } from '../../src/senders/outbox.ts'
import { testChance } from '../domain/chance.ts'
import { type Behaviour, mailServer } from './mail-server.ts'

const chance = testChance()
const from = 'Example sign-in <no-reply@example.org>'
const mail = {
  to: 'alice@example.org',
  subject: 'Your code – 代碼',
  text: 'Code 12345678',
  html: '<p>Code 12345678</p>',
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function setup(behaviour: Behaviour = {}, login = '') {
  const server = await mailServer(behaviour)
  closing.push(() => server.close())
  const mailer = createSmtpMailer({ url: `smtp://${login}127.0.0.1:${server.port}`, from, chance })
  closing.push(() => mailer.close())
  return { server, mailer }
}

const problem = (sending: Promise<void>): Promise<unknown> =>
  sending.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('sending over SMTP', () => {
  it('hands over text and HTML from the sender of the configuration', async () => {
    const { server, mailer } = await setup()
    await mailer.send(mail)
    const [received] = server.received
    expect(received).toMatchObject({ from: 'no-reply@example.org', to: ['alice@example.org'] })
    expect(received?.raw).toMatch(/^From: "Example sign-in" <no-reply@example\.org>\r$/m)
    expect(received?.raw).toMatch(/^Auto-Submitted: auto-generated\r$/m)
    expect(received?.raw).toMatch(/^Date: Sun, 01 Nov 2026 00:00:00 \+0000\r$/m)
    expect(received?.raw).toContain('Code 12345678')
    expect(received?.raw).toContain('<p>Code 12345678</p>')
    expect(mailer.healthy()).toBe(true)
  })

  it('uses few connections for many mails', async () => {
    const { server, mailer } = await setup()
    await Promise.all(Array.from({ length: 20 }, () => mailer.send(mail)))
    expect(server.received).toHaveLength(20)
    expect(server.connections()).toBeLessThanOrEqual(5)
  })

  it('logs in; a refused login is ours to mend, so it is tried again', async () => {
    const login = { user: 'us@r', pass: 'p:w/d' }
    const good = await setup({ login }, `${encodeURIComponent('us@r')}:${encodeURIComponent('p:w/d')}@`)
    await good.mailer.send(mail)
    expect(good.server.received).toHaveLength(1)
    const bad = await setup({ login }, 'user:wrong@')
    const error = await problem(bad.mailer.send(mail))
    expect(error).toMatchObject({ code: 'EAUTH' })
    expect(error).not.toBeInstanceOf(MailRefused)
    expect(bad.mailer.healthy()).toBe(false)
  })

  it('a recipient that the server refuses is refused for good, and the server is well', async () => {
    const { mailer } = await setup({ unknown: ['alice@example.org'] })
    const error = await problem(mailer.send(mail))
    expect(error).toBeInstanceOf(MailRefused)
    expect(error).toMatchObject({ permanent: true })
    expect(mailer.healthy()).toBe(true)
  })

  it('"try later" and no server are worth a retry', async () => {
    const later = await setup({ later: true })
    expect(await problem(later.mailer.send(mail))).not.toBeInstanceOf(MailRefused)
    expect(later.mailer.healthy()).toBe(false)
    const { server, mailer } = await setup()
    await server.close()
    const error = await problem(mailer.send(mail))
    expect(error).toMatchObject({ code: expect.any(String) })
    expect(error).not.toBeInstanceOf(MailRefused)
    expect(mailer.healthy()).toBe(false)
  })

  it.each([
    'v@example.org\r\nBcc: a@example.org',
    'v@example.org\nBcc: a@example.org',
    'v@example.org,a@example.org',
    'v@example.org;a@example.org',
    'v@example.org a@example.org',
    'V <v@example.org>',
    '"v"@example.org',
    'v@x@example.org',
    'v@example.org\0',
    'group:v@example.org',
    'v@example.org\u2028a',
    '@example.org',
    'v',
    '',
  ])('RS-10, OC-8: one plain address and nothing else: %j', async (to) => {
    const { server, mailer } = await setup()
    expect(await problem(mailer.send({ ...mail, to }))).toBeInstanceOf(MailRefused)
    expect(server.received).toEqual([])
    expect(server.connections()).toBe(0)
  })

  it('OC-8: no header comes in through the subject', async () => {
    const { server, mailer } = await setup()
    for (const subject of ['x\r\nBcc: a@example.org', 'x\nX-Y: z', 'x\0']) {
      expect(await problem(mailer.send({ ...mail, subject }))).toBeInstanceOf(MailRefused)
    }
    expect(server.received).toEqual([])
  })

  it('never sends in the clear to another machine', async () => {
    // Loopback by another name, so that the connection is made and STARTTLS, which is not offered, is missed.
    const server = await mailServer()
    closing.push(() => server.close())
    const mailer = createSmtpMailer({ url: `smtp://0.0.0.0:${server.port}`, from, chance })
    closing.push(() => mailer.close())
    expect(await problem(mailer.send(mail))).toMatchObject({ code: 'ETLS' })
    expect(server.received).toEqual([])
  })

  it.each(['http://mail.example.org', 'mail.example.org', 'smtp://', 'smtp:', ''])('refuses the address %j', (url) => {
    expect(() => createSmtpMailer({ url, from, chance })).toThrow(/^mail\.url must look like/)
  })

  it('refuses a sender that is none', () => {
    for (const sender of ['', 'nobody', 'a@example.org\r\nBcc: b@example.org']) {
      expect(() => createSmtpMailer({ url: 'smtp://localhost', from: sender, chance })).toThrow(/^mail\.from/)
    }
  })
})

describe('the outbox for development', () => {
  it('keeps the last mails, oldest first', async () => {
    const outbox = createOutbox({ chance, keep: 3 })
    for (const subject of ['1', '2', '3', '4']) await outbox.send({ ...mail, subject })
    expect(outbox.mails().map(({ subject }) => subject)).toEqual(['2', '3', '4'])
    expect(outbox.mails()[0]).toEqual({ ...mail, subject: '2', at: chance.now() })
    expect(outbox.healthy()).toBe(true)
  })
})
