// Somebody at another's open browser knows the password but has no phone. In a second tab they sign in as themselves, so that
// the half-way flow of the victim meets a session that proved a second factor: somebody else's.
import { expect, it } from '@jest/globals'
import { eachStore } from '../stores.ts'
import { passwordOf, register, signIn, world } from '../world.ts'

eachStore('a session swapped under a flow', (database) => {
  it('CH-1, EN-12, EN-13: the second factor of one account never serves another', async () => {
    const place = await database()
    const store = await place.open()
    const w = await world({ store })
    try {
      await w.add('victim')
      await w.add('mallory')
      const b = w.browser()
      await register(w, b, 'victim')
      const mallory = await register(w, w.browser(), 'mallory')
      // The proof of the victim's own sign-in is not fresh any more.
      w.clock.tick(6 * 60_000)
      await b.open(`${w.issuer}/change-password`)
      await b.submit({ password: passwordOf('victim'), action: 'continue' })
      expect(b.page).toMatchObject({ page: 'prove', method: 'totp' })
      const waiting = b.now?.url ?? ''
      await signIn(w, b, 'mallory', mallory.secret, { prompt: 'login' })
      await b.open(waiting)
      expect(b.page.page).toBe('password')
      await b.submit({ password: passwordOf('victim'), action: 'continue' })
      expect(b.page).toMatchObject({ page: 'password', problem: 'wrong_password' })
      expect((await w.account('victim')).epoch).toBe(1)
    } finally {
      await w.close()
      await store.close()
    }
  })
})
