// `max_age` and `prompt=login` really prove again, and a session ends with its day whatever is done in it.
import { expect, it } from '@jest/globals'
import { anyone, arena, someone } from '../attacks/attacker.ts'
import { totpCode } from '../authenticator.ts'
import { eachStore } from '../stores.ts'
import { passwordOf } from '../world.ts'
import { enter, owner } from './owner.ts'
import { at, returned } from './steps.ts'

const HOUR = 3_600_000

eachStore('fresh sign-ins and old sessions', (database) => {
  const here = arena(database)

  it('OI-2: max_age asks for both proofs once the sign-in is older, and not before; auth_time moves', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    const now = Date.now()
    // The provider's own clock is the real one: somebody who signed in ten seconds ago.
    w.clock.tick(now - 60_000 - w.clock.now())
    const first = await w.exchange(await enter(w, b, who))
    const age = Math.round(now / 1000) - Number(first.claims['auth_time'])
    expect(age).toBeGreaterThan(20)
    const young = await w.exchange(await b.open(w.authorize({ max_age: '3600' })))
    expect(young.claims['auth_time']).toBe(first.claims['auth_time'])
    expect(returned(await b.open(w.authorize({ max_age: '10', prompt: 'none' })))['error']).toBe('login_required')
    await b.open(w.authorize({ max_age: '10' }))
    expect(at(b)).toBe('sign-in')
    await b.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('prove totp')
    w.clock.tick(30_000)
    const again = await w.exchange(await b.submit({ code: totpCode(who.secret, w.clock.now()), action: 'continue' }))
    expect(again.claims).toMatchObject({ amr: ['pwd', 'otp', 'mfa'] })
    expect(Number(again.claims['auth_time'])).toBeGreaterThan(Number(first.claims['auth_time']))
  })

  it('OI-2: the same with an enrolment in between: auth_time is that of the new password proof', async () => {
    const w = await here.enter()
    const username = someone()
    await w.add(username)
    const b = anyone(w)
    Object.assign(w.policy.registration, { required: false })
    w.clock.tick(Date.now() - 120_000 - w.clock.now())
    await b.open(w.authorize())
    const first = await w.exchange(await b.submit({ username, password: passwordOf(username), action: 'continue' }))
    Object.assign(w.policy.registration, { required: true })
    w.clock.tick(60_000)
    await b.open(w.authorize({ max_age: '10' }))
    await b.submit({ username, password: passwordOf(username), action: 'continue' })
    expect(at(b)).toBe('registration')
    await b.submit({ action: 'continue' })
    await b.submit({ code: await w.code(`${username}@example.org`), action: 'continue' })
    await b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })
    await b.submit({ acknowledged: 'yes', action: 'continue' })
    const done = await w.exchange(await b.submit({ action: 'continue' }))
    expect(Number(done.claims['auth_time']) - Number(first.claims['auth_time'])).toBe(60)
    expect(done.claims).toMatchObject({ amr: ['pwd', 'otp', 'mfa'] })
  })

  it('SE-7: a session lasts an hour unused, and a day in all however much it is used', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await enter(w, b, who)
    const silent = async () => returned(await b.open(w.authorize({ prompt: 'none' })))
    for (let hour = 0; hour < 25; hour += 0.75) {
      w.clock.tick(0.75 * HOUR)
      const told = await silent()
      if (told['error'] !== undefined) {
        expect([told['error'], hour >= 23 && hour < 24]).toEqual(['login_required', true])
        break
      }
      expect(hour).toBeLessThan(24)
    }
    const again = anyone(w)
    await enter(w, again, who)
    w.clock.tick(1.01 * HOUR)
    expect(returned(await again.open(w.authorize({ prompt: 'none' })))['error']).toBe('login_required')
  })
})
