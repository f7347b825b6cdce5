// Guessing codes: of an authenticator, mailed ones and the mails themselves, recovery codes; with the clock moved by hand.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { totpCode } from '../authenticator.ts'
import type { Browser } from '../browser.ts'
import { type Database, eachStore } from '../stores.ts'
import { register, type World, world } from '../world.ts'
import { at, password, returned, wizard, wrongCode } from './steps.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

eachStore('guessing codes', (database) => {
  let shared: Database
  let w: World
  beforeEach(async () => {
    shared ??= await database()
    w = await world({ store: await shared.open() })
    // The limit by source is a matter of its own: here each test stays below it.
    await w.store.budgets.clear('source:127.0.0.1')
  })
  afterEach(() => w.close())

  const retryAfter = (b: Browser): number => Number(b.now?.headers.get('retry-after'))

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
})
