// The attacker can make the database fail at the moment that suits him, or waits for the night when it does.
// Each call of each page fails in turn: always "unavailable, try again", never "nothing registered", never a code.
import { expect, it } from '@jest/globals'
import { Unavailable } from '../../src/domain/problems.ts'
import { totpCode } from '../authenticator.ts'
import { type Browser, marks, type Response } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { passwordOf, register, RP, verifier, type World } from '../world.ts'
import { anyone, arena, back, leaked, mailedCode, resumeAddress, someone, submitForMail, walk } from './attacker.ts'
import { hooked } from './hooked.ts'

const calm = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** A page that says so, and nothing else. */
function unavailable(about: string, response: Response): void {
  expect([about, response.status, marks(response.html)]).toEqual([
    about,
    503,
    { page: 'error', problem: 'unavailable' },
  ])
  expect([about, response.headers.get('retry-after')]).toEqual([about, expect.stringMatching(/^\d+$/)])
  expect([about, /Reference: [0-9A-Z]{8,}/.test(response.html)]).toEqual([about, true])
  expect([about, response.html.includes('disk on fire')]).toEqual([about, false])
  expect([about, response.headers.get('content-security-policy')]).toEqual([
    about,
    expect.stringContaining("default-src 'none'"),
  ])
}

eachStore('EN-5: the failing store', (database) => {
  const at = arena(database)

  /** Fails one call: the `failAt`-th of those that count. Calls of the background are left alone by their names. */
  function faults() {
    let failAt: number | undefined
    let broken: RegExp | undefined
    let calls: string[] = []
    const background = /^(mails\.(lease|remove|retry)|accounts\.withOutbox|claims)/
    return {
      hook: async (call: string): Promise<void> => {
        if (broken?.test(call)) throw new Unavailable('unavailable', 'disk on fire')
        if (failAt === undefined || background.test(call)) return
        calls.push(call)
        if (calls.length - 1 === failAt) throw new Unavailable('unavailable', 'disk on fire')
      },
      /** Runs the work with one call failing; answers which, or undefined when there were not so many. */
      async with<Result>(
        at: number,
        work: () => Promise<Result>,
      ): Promise<{ result: Result; failed: string | undefined }> {
        failAt = at
        calls = []
        const result = await work()
        const failed = calls[at]
        failAt = undefined
        return { result, failed }
      },
      break(pattern: RegExp | undefined) {
        broken = pattern
      },
    }
  }

  type Faults = ReturnType<typeof faults>
  const enter = async (): Promise<{ w: World; fault: Faults }> => {
    const fault = faults()
    const w = await at.enter({ store: hooked(at.store(), fault.hook), options: { log: calm } })
    return { w, fault }
  }

  interface Scene {
    /** Brings a new browser to the place. */
    stage(w: World, b: Browser, username: string): Promise<unknown>
    act(w: World, b: Browser, username: string): Promise<Response>
    /** What must be there once the store works again. */
    done(response: Response, b: Browser): boolean
  }

  const shows =
    (...pages: string[]) =>
    (_response: Response, b: Browser): boolean =>
      pages.includes(b.page.page ?? '')

  const scenes: Record<string, Scene> = {
    'the authorization request': {
      stage: async () => undefined,
      act: (w, b) => b.open(w.authorize()),
      done: shows('sign-in'),
    },
    'the password': {
      stage: (w, b, username) => walk(w, b, username, 0),
      act: (_w, b, username) => b.submit({ username, password: passwordOf(username), action: 'continue' }),
      done: shows('registration'),
    },
    'the reasons': {
      stage: (w, b, username) => walk(w, b, username, 1),
      act: (w, b) => submitForMail(w, b, { action: 'continue' }),
      done: shows('prove'),
    },
    'the trust gate': {
      stage: (w, b, username) => walk(w, b, username, 2),
      act: async (w, b, username) => b.submit({ code: await mailedCode(w, b, username), action: 'continue' }),
      done: shows('enrol', 'prove'),
    },
    'the recovery codes': {
      stage: (w, b, username) => walk(w, b, username, 4),
      act: (_w, b) => b.submit({ acknowledged: 'yes', action: 'continue' }),
      done: shows('registered', 'enrol', 'prove'),
    },
  }

  it.each(Object.keys(scenes))(
    'EN-5: each store call of %s fails in turn: 503, never a code, and it goes on afterwards',
    async (name) => {
      const { w, fault } = await enter()
      const { stage, act, done } = scenes[name] as Scene
      const seen: string[] = []
      for (let call = 0; call < 60; call++) {
        const [username, b] = [someone(), anyone(w)]
        await w.add(username)
        await stage(w, b, username)
        const here = b.now
        const { result, failed } = await fault.with(call, () => act(w, b, username))
        if (failed === undefined) {
          expect(done(result, b)).toBe(true)
          break
        }
        seen.push(failed)
        const about = `${name}, ${call}: ${failed}`
        expect([about, leaked(result)]).toEqual([about, false])
        // Trail and notices are told beside the response, and again later, of what the account's outbox keeps.
        if (result.status !== 200) unavailable(about, result)
        else if (failed === 'mails.put')
          expect([about, (await w.account(username)).outbox.length > 0]).toEqual([about, true])
        else expect(about).toContain('audit.append')
        const { credentials } = await w.account(username)
        expect([about, credentials.length <= 3]).toEqual([about, true])
        // The same form once more, or the page as it stands now.
        b.now = here
        w.clock.tick(61_000)
        const again = await b.open(here?.url ?? w.authorize())
        expect([about, again.status]).toEqual([about, 200])
        expect([about, leaked(again)]).toEqual([about, false])
      }
      expect(seen.length).toBeGreaterThan(2)
    },
  )

  it('EN-5: each store call of a second factor and of the way back fails in turn: one code at most, and only at the end', async () => {
    const { w, fault } = await enter()
    const username = someone()
    await w.add(username)
    const { secret } = await register(w, anyone(w), username)
    const seen: string[] = []
    for (let call = 0; call < 80; call++) {
      w.clock.tick(30_000)
      const b = anyone(w)
      await walk(w, b, username, 1)
      expect(b.page).toMatchObject({ page: 'prove', method: 'totp' })
      const code = totpCode(secret, w.clock.now())
      const { result, failed } = await fault.with(call, () => b.submit({ code, action: 'continue' }))
      if (failed === undefined) {
        expect(leaked(result)).toBe(true)
        break
      }
      seen.push(failed)
      const about = `${call}: ${failed}`
      if (leaked(result)) {
        expect(about).toContain('audit.append')
        continue
      }
      unavailable(about, result)
      // What was spent is spent; the flow or the request goes on.
      const resumed = await b.open(w.authorize())
      expect([about, resumed.status < 500]).toEqual([about, true])
    }
    expect(seen.length).toBeGreaterThan(8)
    expect((await w.account(username)).credentials).toHaveLength(3)
  })

  it.each([
    ['accounts', /^accounts\.find/, 'all'],
    ['accounts, writing', /^accounts\.replace/, 'factor'],
    ['flows', /^flows/, 'factor'],
    ['budgets', /^budgets/, 'factor'],
    ['the audit trail', /^audit/, 'none'],
    ['mails', /^mails\.put/, 'none'],
    ['rows', /^rows/, 'all'],
    ['everything', /./, 'all'],
  ] as const)(
    'TH-11: while %s is down, nobody gets a code and nobody is told to enrol; then all is as before',
    async (_part, pattern, needed) => {
      const { w, fault } = await enter()
      const [fresh, known] = [someone(), someone()]
      await w.add(fresh)
      await w.add(known)
      const session = anyone(w)
      const { secret } = await register(w, session, known)
      const places: Browser[] = []
      for (let until = 0; until <= 3; until++) {
        const b = anyone(w)
        const username = until === 0 ? fresh : someone()
        if (until > 0) await w.add(username)
        await walk(w, b, username, until)
        places.push(b)
      }
      const atFactor = anyone(w)
      await walk(w, atFactor, known, 1)
      w.clock.tick(30_000)
      const code = totpCode(secret, w.clock.now())
      const version = (await at.store().accounts.find((await w.account(known)).id))?.version

      fault.break(pattern)
      const answers: Response[] = []
      for (const b of places) {
        answers.push(
          await b.clone().submit({ username: fresh, password: passwordOf(fresh), code: '000000', action: 'continue' }),
        )
        answers.push(await b.clone().open(resumeAddress(w, b)))
      }
      const owner = await atFactor.clone().submit({ code, action: 'continue' })
      // The trail gets what the account's own outbox keeps, later: who proved both factors need not wait for it.
      if (needed === 'none') expect(leaked(owner)).toBe(true)
      else answers.push(owner)
      for (const answer of answers) {
        expect([answer.url, leaked(answer)]).toEqual([answer.url, false])
        expect([200, 400, 410, 422, 429, 503]).toContain(answer.status)
        if (answer.status >= 500) unavailable(answer.url, answer)
      }
      expect(answers.some(({ status }) => status === 503)).toBe(true)
      const sso = await session.clone().open(w.authorize({ prompt: 'none' }))
      expect(leaked(sso)).toBe(needed !== 'all')
      fault.break(undefined)

      if (needed !== 'none') expect((await w.account(known)).version).toBe(version)
      expect((await w.account(fresh)).credentials).toEqual([])
      w.clock.tick(61_000)
      const b = anyone(w)
      await register(w, b, fresh)
      expect(leaked(b.now as Response)).toBe(true)
    },
  )

  it('EN-5: token endpoints answer 503 as JSON, without tokens, and the code is good afterwards or spent, never both', async () => {
    const { w, fault } = await enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    let { response } = await register(w, b, username)
    for (let call = 0; call < 40; call++) {
      const code = new URL(response.location ?? RP).searchParams.get('code') ?? ''
      const grant = { grant_type: 'authorization_code', code, redirect_uri: `${RP}/cb`, code_verifier: verifier }
      const { result, failed } = await fault.with(call, () => back(w, '/token', grant))
      if (failed === undefined) {
        expect(result.status).toBe(200)
        expect(call).toBeGreaterThan(3)
        break
      }
      expect([failed, result.status, result['access_token'], result['id_token']]).toEqual([
        failed,
        503,
        undefined,
        undefined,
      ])
      expect(result['error']).toBe('temporarily_unavailable')
      const again = await back(w, '/token', grant)
      expect([failed, [200, 400].includes(again.status)]).toEqual([failed, true])
      expect((await back(w, '/token', grant)).status).toBe(400)
      response = await b.open(w.authorize())
    }
  })
})
