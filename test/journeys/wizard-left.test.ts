// The registration wizard left alone and left for good: expired pages, cancel, "not you?", after the end.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { totpCode } from '../authenticator.ts'
import { type Database, eachStore } from '../stores.ts'
import { passwordOf, register, type World, world } from '../world.ts'
import { at, pageOf, password, registered, returned, wizard } from './steps.ts'

const MINUTE = 60_000

eachStore('leaving the wizard', (database) => {
  let shared: Database
  let w: World
  beforeEach(async () => {
    shared ??= await database()
    w = await world({ store: await shared.open() })
  })
  afterEach(() => w.close())

  describe('waiting', () => {
    it.each(['registration', 'trust-gate', 'totp', 'recovery-codes'] as const)(
      'a flow that expired restarts the same request, saying so: %s',
      async (stop) => {
        const username = `expired-${stop}`
        await w.add(username)
        const b = w.browser()
        await wizard(w, b, username, stop)
        w.clock.tick(16 * MINUTE)
        await b.open(b.now?.url ?? '')
        expect([at(b), b.now?.status]).toEqual(['sign-in !flow_expired', 410])
        await b.submit({ username, password: passwordOf(username), action: 'continue' })
        // A factor that was bound before the flow expired has to be proven now.
        expect(at(b)).toBe(stop === 'recovery-codes' ? 'prove totp' : 'registration')
        const { location } = await b.submit({ action: 'cancel' })
        expect(new URL(location ?? '').searchParams.get('state')).toBe('state')
      },
    )

    it('a form that comes too late is told so, and nothing of it counts', async () => {
      await w.add('toolate')
      const b = w.browser()
      const secret = await wizard(w, b, 'toolate', 'totp')
      w.clock.tick(16 * MINUTE)
      await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      expect(b.page.page).toBe('sign-in')
      expect(await registered(w, 'toolate')).toEqual(['email'])
    })

    it('EN-2: a password that is older than five minutes when the wizard opens is asked for again', async () => {
      await w.add('stale')
      const b = w.browser()
      await wizard(w, b, 'stale', 'registration')
      w.clock.tick(5 * MINUTE + 1000)
      await b.submit({ action: 'continue' })
      expect(at(b)).toBe('sign-in !flow_expired')
      expect(w.outbox.mails()).toEqual([])
      await b.submit({ username: 'stale', password: passwordOf('stale'), action: 'continue' })
      await b.submit({ action: 'continue' })
      expect(at(b)).toBe('prove email')
    })
  })

  describe('leaving', () => {
    it.each(['registration', 'trust-gate', 'totp', 'recovery-codes', 'registered'] as const)(
      'cancel answers the relying party with access_denied: %s',
      async (stop) => {
        const username = `cancel-${stop}`
        await w.add(username)
        const b = w.browser()
        await wizard(w, b, username, stop)
        const answer = returned(await b.submit({ action: 'cancel' }))
        expect(answer).toMatchObject({ error: 'access_denied', state: 'state' })
        expect(answer).not.toHaveProperty('code')
        expect(returned(await b.open(w.authorize({ prompt: 'none' })))).toMatchObject({ error: 'login_required' })
      },
    )

    it('cancel works on the sign-in page and on the page that proves the second factor', async () => {
      await w.add('away')
      await register(w, w.browser(), 'away')
      const b = w.browser()
      await b.open(w.authorize())
      expect(returned(await b.submit({ action: 'cancel' }))).toMatchObject({ error: 'access_denied' })
      await password(w, b, 'away')
      expect(at(b)).toBe('prove totp')
      expect(returned(await b.submit({ action: 'cancel' }))).toMatchObject({ error: 'access_denied' })
    })

    it('EN-12: "not you?" begins the same request anew, for somebody else', async () => {
      await w.add('me')
      await w.add('you')
      const b = w.browser()
      await wizard(w, b, 'me', 'totp')
      await b.submit({ action: 'restart' })
      expect(at(b)).toBe('sign-in')
      expect(b.now?.html).not.toContain('class="who"')
      await b.submit({ username: 'you', password: passwordOf('you'), action: 'continue' })
      expect(at(b)).toBe('registration')
      await b.submit({ action: 'continue' })
      await b.submit({ code: await w.code('you@example.org'), action: 'continue' })
      await b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })
      await b.submit({ acknowledged: 'yes', action: 'continue' })
      const { claims } = await w.exchange(await b.submit({ action: 'continue' }))
      expect(claims).toMatchObject({ sub: (await w.account('you')).id, nonce: 'nonce' })
      expect(await registered(w, 'me')).toEqual(['email'])
    })

    it('Back after the end says that it is over; another browser is told that it is not its own', async () => {
      await w.add('over')
      const b = w.browser()
      await wizard(w, b, 'over', 'registered')
      const page = b.now?.url ?? ''
      await b.submit({ action: 'continue' })
      const over = await b.request(page)
      expect([pageOf(over), over.status]).toEqual(['error !interaction_over', 410])
      const stranger = await w.browser().request(page)
      expect([pageOf(stranger), stranger.status]).toEqual(['error !other_browser', 400])
    })
  })
})
