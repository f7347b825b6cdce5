// Guessing passwords: waits, repeats, known browsers and sources as a user meets them, with the clock moved by hand.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Browser } from '../browser.ts'
import { type Database, eachStore } from '../stores.ts'
import { passwordOf, register, signIn, type World, world } from '../world.ts'
import { at, password, returned } from './steps.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

eachStore('guessing passwords', (database) => {
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
