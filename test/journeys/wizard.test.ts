// The registration wizard: only what is missing, each item tested, and reload, Back, second tabs and double clicks.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { opaqueId } from '../../src/domain/codes.ts'
import { vaultFor } from '../../src/domain/seal.ts'
import type { Credential } from '../../src/domain/types.ts'
import { createMethods } from '../../src/methods/index.ts'
import { totpCode } from '../authenticator.ts'
import { hidden } from '../browser.ts'
import { type Database, eachStore } from '../stores.ts'
import { register, type World, world } from '../world.ts'
import { at, password, registered, returned, wizard, wrongCode } from './steps.ts'

const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'
const MINUTE = 60_000

eachStore('wizard', (database) => {
  let shared: Database
  let w: World
  beforeEach(async () => {
    shared ??= await database()
    w = await world({ store: await shared.open() })
  })
  afterEach(() => w.close())

  const put = async (username: string, ...credentials: Credential[]): Promise<void> => {
    const account = await w.account(username)
    await w.store.accounts.replace({ ...account, version: account.version + 1, credentials }, account.version)
  }
  const imported = async (username: string): Promise<void> => {
    const { id } = await w.account(username)
    const totp = createMethods().find((method) => method.id === 'totp')
    const made = totp?.importRow?.({ secret: SECRET }, { vault: vaultFor(w.self.keys, id), chance: w.clock })
    if (typeof made !== 'object') throw new Error(made ?? 'no import')
    await put(username, made)
  }

  describe('asks only for what is missing', () => {
    it('EN-1: an address that is registered already still is the trust gate, and is not registered twice', async () => {
      const { email = '' } = await w.add('mailed')
      const address = { id: opaqueId(w.clock), method: 'email', label: 'm…', addedAt: 0, data: { address: email } }
      await put('mailed', address)
      const b = w.browser()
      await wizard(w, b, 'mailed', 'recovery-codes')
      await b.submit({ acknowledged: 'yes', action: 'continue' })
      expect((await registered(w, 'mailed')).toSorted()).toEqual(['email', 'recovery-codes', 'totp'])
    })

    it('each page says which step it is, the mailed code and the choice of a method as well', async () => {
      await w.add('counted')
      const b = w.browser()
      const step = () => /Step \d of \d/.exec(b.now?.html ?? '')?.[0]
      await wizard(w, b, 'counted', 'trust-gate')
      expect([at(b), step()]).toEqual(['prove email', 'Step 1 of 3'])
      await b.submit({ code: 'no code', action: 'continue' })
      expect(step()).toBe('Step 1 of 3')
      await b.submit({ code: await w.code('counted@example.org'), action: 'continue' })
      expect([at(b), step()]).toEqual(['enrol totp', 'Step 2 of 3'])
      await b.submit({ action: 'other_method' })
      expect([at(b), step()]).toEqual(['choose-method', 'Step 2 of 3'])
      await b.submit({ method: 'totp' })
      await b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })
      expect([at(b), step()]).toEqual(['enrol recovery-codes', 'Step 3 of 3'])
    })

    it('EN-2: an imported authenticator has to be proven, the trust gate is not asked, recovery codes are added', async () => {
      await w.add('imported')
      await imported('imported')
      const b = w.browser()
      await password(w, b, 'imported')
      expect(at(b)).toBe('prove totp')
      await b.submit({ code: wrongCode(SECRET, w.clock.now()), action: 'continue' })
      expect(at(b)).toBe('prove totp !wrong_code')
      await b.submit({ code: totpCode(SECRET, w.clock.now()), action: 'continue' })
      expect(at(b)).toBe('registration')
      await b.submit({ action: 'continue' })
      expect(at(b)).toBe('enrol recovery-codes')
      await b.submit({ acknowledged: 'yes', action: 'continue' })
      expect(at(b)).toBe('registered')
      expect(returned(await b.submit({ action: 'continue' }))).toHaveProperty('code')
      expect(w.outbox.mails().filter(({ text }) => /\d{4} ?\d{4}/.test(text))).toEqual([])
    })

    it('an account that has everything is not stopped', async () => {
      await w.add('complete')
      const { secret } = await register(w, w.browser(), 'complete')
      w.clock.tick(30_000)
      const b = w.browser()
      await password(w, b, 'complete')
      expect(returned(await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' }))).toHaveProperty(
        'code',
      )
    })

    it('EN-1: without an address on file it stops at the help desk, and none is asked for', async () => {
      const account = await w.add('nowhere')
      const { email: _gone, ...bare } = account
      await w.store.accounts.replace({ ...bare, version: account.version + 1 }, account.version)
      const b = w.browser()
      await password(w, b, 'nowhere')
      const stopped = await b.submit({ action: 'continue' })
      expect([at(b), stopped.status]).toEqual(['error !no_trusted_address', 403])
      // Nothing but the way back to the relying party.
      expect(stopped.html.match(/<input(?! type="hidden")/)).toBeNull()
      expect(await registered(w, 'nowhere')).toEqual([])
    })
  })

  describe('each item is tested before it counts', () => {
    it('TO-6, DB-10: nothing is registered before its code was typed', async () => {
      await w.add('tested')
      const b = w.browser()
      await wizard(w, b, 'tested', 'trust-gate')
      const right = await w.code('tested@example.org')
      await b.submit({ code: right === '00000000' ? '00000001' : '00000000', action: 'continue' })
      expect(at(b)).toBe('prove email !wrong_code')
      await b.submit({ code: '', action: 'continue' })
      expect(at(b)).toBe('prove email !code_missing')
      expect(await registered(w, 'tested')).toEqual([])
      await b.submit({ code: right, action: 'continue' })
      expect(await registered(w, 'tested')).toEqual(['email'])
      const { secret } = b
      await b.submit({ code: wrongCode(secret, w.clock.now()), action: 'continue' })
      expect(at(b)).toBe('enrol totp !wrong_code')
      expect(b.secret).toBe(secret)
      expect(await registered(w, 'tested')).toEqual(['email'])
      await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      await b.submit({ action: 'continue' })
      expect(at(b)).toBe('enrol recovery-codes !not_acknowledged')
      expect((await registered(w, 'tested')).toSorted()).toEqual(['email', 'totp'])
    })

    it('the third wrong code of an authenticator hints at the clock of the phone', async () => {
      await w.add('late')
      const b = w.browser()
      const secret = await wizard(w, b, 'late', 'totp')
      for (const expected of ['wrong_code', 'wrong_code', 'wrong_code_clock']) {
        await b.submit({ code: wrongCode(secret, w.clock.now()), action: 'continue' })
        expect(at(b)).toBe(`enrol totp !${expected}`)
      }
    })

    it('TO-6, TO-8: a secret that waited eleven minutes is replaced', async () => {
      await w.add('slow')
      const b = w.browser()
      const secret = await wizard(w, b, 'slow', 'totp')
      w.clock.tick(11 * MINUTE)
      await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      expect(at(b)).toBe('enrol totp !code_expired')
      expect(b.secret).not.toBe(secret)
      await b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })
      expect(at(b)).toBe('enrol recovery-codes')
    })
  })

  describe('reload, Back, a second tab', () => {
    it.each(['registration', 'trust-gate', 'totp', 'recovery-codes', 'registered'] as const)(
      'reload shows the same page, and changes nothing: %s',
      async (stop) => {
        const username = `reload-${stop}`
        await w.add(username)
        const b = w.browser()
        await wizard(w, b, username, stop)
        // The notice of what was registered leaves beside the response.
        const codes = (): number => w.outbox.mails().filter(({ subject }) => /code/.test(subject)).length
        const [before, mails] = [b.now?.html, codes()]
        const plain = (html = ''): string => html.replace(/Reference: \S+/g, '')
        for (let round = 0; round < 3; round++) {
          await b.open(b.now?.url ?? '')
          expect(plain(b.now?.html)).toBe(plain(before))
        }
        expect(codes()).toBe(mails)
      },
    )

    it('EN-9: an old page that is posted again, after Back, only shows where things stand', async () => {
      await w.add('back')
      const b = w.browser()
      await wizard(w, b, 'back', 'trust-gate')
      const old = b.now
      await b.submit({ code: await w.code('back@example.org'), action: 'continue' })
      const { secret } = b
      b.now = old
      await b.submit({ code: '12345678', action: 'continue' })
      expect(at(b)).toBe('enrol totp')
      expect(b.secret).toBe(secret)
      await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      expect((await registered(w, 'back')).toSorted()).toEqual(['email', 'totp'])
    })

    it('EN-9: two tabs of one request are one flow: what one did, the other shows', async () => {
      await w.add('tabs')
      const [one, two] = [w.browser(), w.browser()]
      await wizard(w, one, 'tabs', 'totp')
      two.cookies = one.cookies
      two.now = one.now
      const { secret } = one
      await one.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      await two.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      expect([at(one), at(two)]).toEqual(['enrol recovery-codes', 'enrol recovery-codes'])
      expect(two.recoveryCodes).toEqual(one.recoveryCodes)
      expect((await registered(w, 'tabs')).toSorted()).toEqual(['email', 'totp'])
    })

    it('EN-9: a tab with a request of its own registers the same account: the second has to prove what the first one added', async () => {
      await w.add('both')
      const one = w.browser()
      await wizard(w, one, 'both', 'totp')
      const two = one.clone()
      w.clock.tick(2 * MINUTE)
      await password(w, two, 'both')
      expect(at(two)).toBe('registration')
      await two.submit({ action: 'continue' })
      await two.submit({ code: await w.code('both@example.org', 2), action: 'continue' })
      expect(at(two)).toBe('enrol totp')
      const { secret } = one
      await one.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      expect(at(one)).toBe('enrol recovery-codes')
      await two.submit({ code: totpCode(two.secret, w.clock.now()), action: 'continue' })
      expect((await registered(w, 'both')).filter((method) => method === 'totp')).toHaveLength(1)
      // The account has a factor by now, so this flow has to prove it before it goes on.
      expect(two.page).toMatchObject({ page: 'prove', method: 'totp' })
      w.clock.tick(30_000)
      await two.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      expect(at(two)).toBe('enrol recovery-codes')
      await one.submit({ acknowledged: 'yes', action: 'continue' })
      expect(at(one)).toBe('registered')
      await two.open(two.now?.url ?? '')
      expect(at(two)).toBe('registered')
    })

    it.each(['registration', 'trust-gate', 'totp', 'recovery-codes'] as const)(
      'EN-9: a double click is answered by the same 303, once counted: %s',
      async (stop) => {
        const username = `double-${stop}`
        await w.add(username)
        const b = w.browser()
        await wizard(w, b, username, stop)
        const page = b.now
        const filled = {
          registration: async () => ({}),
          'trust-gate': async () => ({ code: await w.code(`${username}@example.org`) }),
          totp: async () => ({ code: totpCode(b.secret, w.clock.now()) }),
          'recovery-codes': async () => ({ acknowledged: 'yes' }),
        }
        const form = { ...hidden(page?.html ?? ''), ...(await filled[stop]()), action: 'continue' }
        const post = () => b.request(page?.url ?? '', { form })
        const answers = await Promise.all([post(), post(), post()])
        expect(answers.map(({ status }) => status)).toEqual([303, 303, 303])
        expect(new Set(answers.map(({ location }) => location)).size).toBe(1)
        await b.open(answers[0])
        const next = {
          registration: 'prove email',
          'trust-gate': 'enrol totp',
          totp: 'enrol recovery-codes',
          'recovery-codes': 'registered',
        }
        expect(at(b)).toBe(next[stop])
        const methods = await registered(w, username)
        expect(new Set(methods).size).toBe(methods.length)
      },
    )

    it('a double click on the last button brings the relying party one answer', async () => {
      await w.add('last')
      const b = w.browser()
      await wizard(w, b, 'last', 'registered')
      const page = b.now
      const form = { ...hidden(page?.html ?? ''), action: 'continue' }
      const first = await b.request(page?.url ?? '', { form })
      const second = await b.request(page?.url ?? '', { form })
      expect([first.status, second.status]).toEqual([303, 303])
      expect(second.location).toBe(first.location)
      expect(returned(await b.open(second))).toHaveProperty('code')
    })
  })
})
