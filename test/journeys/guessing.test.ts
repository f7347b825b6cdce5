// Guessing: every budget of the README's table as a user meets it, with the clock moved by hand.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { totpCode } from '../authenticator.ts'
import type { Browser } from '../browser.ts'
import { type Database, eachStore } from '../stores.ts'
import { passwordOf, register, signIn, type World, world } from '../world.ts'
import { at, password, returned, wizard, wrongCode } from './steps.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

eachStore('guessing', (database) => {
  let shared: Database
  let w: World
  let wrongs = 0
  beforeEach(async () => {
    shared ??= await database()
    w = await world({ store: await shared.open() })
    // The limit by source is a matter of its own: here each test stays below it.
    await w.store.budgets.clear('source:127.0.0.1')
  })
  afterEach(() => w.close())

  const guess = async (b: Browser, username: string, wrong = `wrong ${wrongs++}`): Promise<string> => {
    await b.open(w.authorize())
    await b.submit({ username, password: wrong, action: 'continue' })
    return at(b)
  }
  const right = async (b: Browser, username: string): Promise<string> => {
    await password(w, b, username)
    return at(b)
  }
  const retryAfter = (b: Browser): number => Number(b.now?.headers.get('retry-after'))

  describe('password', () => {
    it('TH-2: waits begin with the 10th failure in a row, double, and end at 15 minutes', async () => {
      await w.add('waiting')
      const b = w.browser()
      for (let count = 1; count <= 10; count++) expect(await guess(b, 'waiting')).toBe('sign-in !wrong_password')
      for (const wait of [60, 120, 240, 480, 900, 900]) {
        expect(await right(b, 'waiting')).toBe('sign-in !too_many_passwords')
        expect(b.now?.status).toBe(429)
        expect(retryAfter(b)).toBeGreaterThan(wait - 10)
        expect(retryAfter(b)).toBeLessThanOrEqual(wait)
        w.clock.tick((wait - 10) * SECOND)
        expect(await right(b, 'waiting')).toBe('sign-in !too_many_passwords')
        w.clock.tick(11 * SECOND)
        expect(await guess(b, 'waiting')).toBe('sign-in !wrong_password')
      }
      w.clock.tick(15 * MINUTE)
      expect(await right(b, 'waiting')).toBe('registration')
    })

    it('TH-10: an unknown name meets the same waits in the same words', async () => {
      await w.add('known')
      const [b, c] = [w.browser(), w.browser()]
      for (let count = 1; count <= 12; count++) {
        expect(await guess(c, 'no-such-name')).toBe(await guess(b, 'known'))
      }
      expect(at(b)).toBe('sign-in !too_many_passwords')
      expect(Math.abs(retryAfter(b) - retryAfter(c))).toBeLessThanOrEqual(2)
    })

    it('TH-5: spellings of one name share one budget', async () => {
      await w.add('spelled')
      const b = w.browser()
      const spellings = ['spelled', 'SPELLED', ' spelled ', 'Ｓpelled']
      for (let count = 0; count < 10; count++) await guess(b, spellings[count % 4] ?? '')
      expect(await right(b, 'spelled')).toBe('sign-in !too_many_passwords')
    })

    it('a wrong password that repeats one of the last three does not count', async () => {
      await w.add('stubborn')
      const b = w.browser()
      for (let count = 0; count < 30; count++) {
        expect(await guess(b, 'stubborn', `old password ${count % 3}`)).toBe('sign-in !wrong_password')
      }
      expect(await right(b, 'stubborn')).toBe('registration')
      // Three were counted; the waits begin with the tenth.
      for (let count = 0; count < 6; count++) await guess(b, 'stubborn')
      expect(await right(b, 'stubborn')).toBe('registration')
      await guess(b, 'stubborn')
      expect(await right(b, 'stubborn')).toBe('sign-in !too_many_passwords')
    })

    it('TH-3, TH-4: a known browser has ten tries of its own, then it is an unknown one', async () => {
      await w.add('owner')
      const home = w.browser()
      await register(w, home, 'owner')
      await home.open(w.authorize({ prompt: 'login' }))
      const thief = w.browser()
      for (let count = 0; count < 10; count++) await guess(thief, 'owner')
      expect(await right(thief, 'owner')).toBe('sign-in !too_many_passwords')
      const again = async (word: string): Promise<string> => {
        await home.open(w.authorize({ prompt: 'login' }))
        await home.submit({ username: 'owner', password: word, action: 'continue' })
        return at(home)
      }
      for (let count = 0; count < 9; count++) expect(await again(`mistyped ${count}`)).toBe('sign-in !wrong_password')
      expect(await again(passwordOf('owner'))).toBe('prove totp')
      expect(await again('mistyped 9')).toBe('sign-in !wrong_password')
      expect(await again(passwordOf('owner'))).toBe('sign-in !too_many_passwords')
    })

    it('TH-9: a right password alone does not end what is counted in a row; a completed sign-in does', async () => {
      await w.add('half')
      const { secret } = await register(w, w.browser(), 'half')
      const b = w.browser()
      for (let count = 0; count < 9; count++) await guess(b, 'half')
      expect(await right(b, 'half')).toBe('prove totp')
      expect(await guess(b, 'half')).toBe('sign-in !wrong_password')
      expect(await right(b, 'half')).toBe('sign-in !too_many_passwords')
      w.clock.tick(MINUTE)
      expect(returned(await signIn(w, w.browser(), 'half', secret))).toHaveProperty('code')
      for (let count = 0; count < 9; count++) expect(await guess(b, 'half')).toBe('sign-in !wrong_password')
      expect(await right(b, 'half')).toBe('prove totp')
    })
  })

  describe('authenticator', () => {
    const wrong = async (b: Browser, secret: string, salt: number): Promise<string> => {
      await b.submit({ code: wrongCode(secret, w.clock.now(), salt), action: 'continue' })
      return at(b)
    }

    it('TO-4: twenty wrong codes in 24 hours, in fresh sessions too; the window slides', async () => {
      await w.add('guessed')
      const { secret } = await register(w, w.browser(), 'guessed')
      for (let round = 0; round < 4; round++) {
        w.clock.tick(HOUR)
        const b = w.browser()
        await password(w, b, 'guessed')
        for (let count = 0; count < 5; count++) expect(await wrong(b, secret, count)).toMatch(/wrong_code/)
      }
      const b = w.browser()
      await password(w, b, 'guessed')
      await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      expect([at(b), b.now?.status]).toEqual(['prove totp !too_many_codes', 429])
      expect(retryAfter(b)).toBeGreaterThan(20 * 3600)
      w.clock.tick(DAY - 3 * HOUR + 1000)
      const c = w.browser()
      await password(w, c, 'guessed')
      for (let count = 0; count < 4; count++) expect(await wrong(c, secret, count)).toMatch(/wrong_code/)
      expect(returned(await c.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' }))).toHaveProperty(
        'code',
      )
    })

    it('TO-4: what is refused is not compared, and the other factor stays open', async () => {
      await w.add('closed')
      const { secret, recoveryCodes } = await register(w, w.browser(), 'closed')
      const b = w.browser()
      await password(w, b, 'closed')
      for (let count = 0; count < 20; count++) await wrong(b, secret, count)
      const before = await w.account('closed')
      w.clock.tick(MINUTE)
      await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      expect(at(b)).toBe('prove totp !too_many_codes')
      expect((await w.account('closed')).version).toBe(before.version)
      await b.submit({ method: 'recovery-codes' })
      expect(returned(await b.submit({ code: recoveryCodes[0] ?? '', action: 'continue' }))).toHaveProperty('code')
    })

    it('TH-1: a hundred wrong codes in a row disable it; it still counts as a factor', async () => {
      await w.add('worn')
      const { secret, recoveryCodes } = await register(w, w.browser(), 'worn')
      for (let day = 0; day < 5; day++) {
        const b = w.browser()
        await password(w, b, 'worn')
        for (let count = 0; count < 20; count++) await wrong(b, secret, count)
        w.clock.tick(DAY + MINUTE)
        await w.store.budgets.clear('source:127.0.0.1')
      }
      const disabled = (await w.account('worn')).credentials.find(({ method }) => method === 'totp')
      expect(disabled).toMatchObject({ disabled: true })
      const b = w.browser()
      await password(w, b, 'worn')
      expect(at(b)).toBe('prove recovery-codes')
      await b.submit({ method: 'totp' })
      expect(at(b)).toBe('prove recovery-codes !method_unavailable')
      await b.submit({ code: recoveryCodes[0] ?? '', action: 'continue' })
      // It counts as a factor, so nothing was bound by the password alone; a usable one is missing now.
      expect(at(b)).toBe('registration')
      const { id } = await w.account('worn')
      expect(await w.store.audit.query({ kind: 'credential.disabled', accountId: id }, 10)).toHaveLength(1)
    })
  })

  describe('mails and mailed codes', () => {
    it('RS-14: one mail in 60 seconds, five an hour, ten a day, and the page says when', async () => {
      await w.add('flooded')
      const b = w.browser()
      await wizard(w, b, 'flooded', 'trust-gate')
      const mails = () => w.outbox.mails().filter(({ to }) => to === 'flooded@example.org').length
      const resend = async (): Promise<string> => {
        await b.submit({ action: 'resend' })
        return at(b)
      }
      await w.code('flooded@example.org', 1)
      expect(await resend()).toBe('prove email !too_many_mails')
      expect(retryAfter(b)).toBeLessThanOrEqual(60)
      for (let sent = 2; sent <= 5; sent++) {
        w.clock.tick(61 * SECOND)
        expect(await resend()).toBe('prove email')
        await w.code('flooded@example.org', sent)
      }
      w.clock.tick(61 * SECOND)
      expect(await resend()).toBe('prove email !too_many_mails')
      expect(retryAfter(b)).toBeGreaterThan(50 * 60)
      w.clock.tick(HOUR)
      for (let sent = 6; sent <= 10; sent++) {
        await wizardAgain(b, 'flooded')
        await w.code('flooded@example.org', sent)
        w.clock.tick(61 * SECOND)
      }
      w.clock.tick(HOUR)
      await password(w, b, 'flooded')
      await b.submit({ action: 'continue' })
      expect(b.page.problem).toBe('too_many_mails')
      expect(retryAfter(b)).toBeGreaterThan(20 * 3600)
      expect(mails()).toBe(10)
    })

    const wizardAgain = async (b: Browser, username: string): Promise<void> => {
      await password(w, b, username)
      await b.submit({ action: 'continue' })
      expect(at(b)).toBe('prove email')
    }

    it('OC-2: five tries for the codes of one step; sending again while one lives resets nothing', async () => {
      await w.add('tried')
      const b = w.browser()
      await wizard(w, b, 'tried', 'trust-gate')
      const first = await w.code('tried@example.org')
      for (let count = 0; count < 3; count++) {
        await b.submit({ code: String(Number(first[0]) === 9 ? 10_000_000 + count : 90_000_000 + count) })
        expect(at(b)).toBe('prove email !wrong_code')
      }
      w.clock.tick(61 * SECOND)
      await b.submit({ action: 'resend' })
      const second = await w.code('tried@example.org', 2)
      for (let count = 0; count < 2; count++) {
        await b.submit({ code: String(Number(second[0]) === 9 ? 10_000_000 + count : 90_000_000 + count) })
        expect(at(b)).toBe('prove email !wrong_code')
      }
      for (const code of [first, second]) {
        await b.submit({ code })
        expect(at(b)).toBe('prove email !too_many_codes')
      }
    })

    it('OC-3: the first of two codes still works', async () => {
      await w.add('two-codes')
      const b = w.browser()
      await wizard(w, b, 'two-codes', 'trust-gate')
      const first = await w.code('two-codes@example.org')
      w.clock.tick(61 * SECOND)
      await b.submit({ action: 'resend' })
      await w.code('two-codes@example.org', 2)
      await b.submit({ code: first, action: 'continue' })
      expect(at(b)).toBe('enrol totp')
    })

    it('RS-3, OC-1: a code is good for ten minutes', async () => {
      await w.add('expiring')
      const b = w.browser()
      await wizard(w, b, 'expiring', 'trust-gate')
      const code = await w.code('expiring@example.org')
      w.clock.tick(10 * MINUTE + SECOND)
      await b.submit({ code, action: 'continue' })
      expect(at(b)).toBe('prove email !code_expired')
    })
  })

  it('RC-8: ten wrong recovery codes an hour, and never closed for good', async () => {
    await w.add('codes')
    const { recoveryCodes } = await register(w, w.browser(), 'codes')
    const b = w.browser()
    await password(w, b, 'codes')
    await b.submit({ method: 'recovery-codes' })
    const typed = (count: number): string => `AAAA-AAAA-AAAA-AAAA-AAAA-AAA${count}`
    for (let count = 0; count < 10; count++) {
      await b.submit({ code: typed(count), action: 'continue' })
      expect(at(b)).toBe('prove recovery-codes !wrong_code')
    }
    await b.submit({ code: recoveryCodes[0] ?? '', action: 'continue' })
    expect(at(b)).toBe('prove recovery-codes !too_many_codes')
    w.clock.tick(HOUR + SECOND)
    await password(w, b, 'codes')
    await b.submit({ method: 'recovery-codes' })
    expect(returned(await b.submit({ code: recoveryCodes[0] ?? '', action: 'continue' }))).toHaveProperty('code')
  })

  it('TH-6: one source has a hundred failures in ten minutes, whatever X-Forwarded-For it writes', async () => {
    const b = w.browser()
    await b.open(w.authorize())
    for (let count = 0; count < 100; count++) {
      b.headers = { 'x-forwarded-for': `10.0.0.${count}` }
      await b.submit({ username: `somebody-${count}`, password: 'wrong', action: 'continue' })
      expect(at(b)).toBe('sign-in !wrong_password')
    }
    await b.submit({ username: 'somebody-else', password: 'wrong', action: 'continue' })
    expect([b.page.problem, b.now?.status]).toEqual(['too_many_requests', 429])
    expect(retryAfter(b)).toBeGreaterThan(0)
    w.clock.tick(10 * MINUTE + SECOND)
    await b.submit({ username: 'somebody-else', password: 'wrong', action: 'continue' })
    expect(b.page.problem).toBe('wrong_password')
  })
})
