// Somebody who knows a name alone spends every budget of a reset, from an address of their own, again and again. The owner
// comes with a browser that nobody has seen before.
import { expect, it } from '@jest/globals'
import { totpCode } from '../authenticator.ts'
import type { Browser } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { register, world } from '../world.ts'

eachStore('a reset under a flood of guesses', (database) => {
  it('TH-3: stays open to its owner in a fresh browser elsewhere', async () => {
    const place = await database()
    const store = await place.open()
    const w = await world({ store, options: { proxyHops: 1 } })
    const from = (address: string): Browser => {
      const b = w.browser()
      b.headers = { 'x-forwarded-for': address }
      return b
    }
    const begin = async (b: Browser): Promise<void> => {
      await b.open(`${w.issuer}/forgot-password`)
      await b.submit({ username: 'ann', action: 'continue' })
    }
    try {
      await w.add('ann')
      const ann = await register(w, w.browser(), 'ann')
      const stranger = from('203.0.113.9')
      await begin(stranger)
      const bad = { totp: '000000', 'recovery-codes': 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA' }
      for (const [method, code] of Object.entries(bad)) {
        await stranger.submit({ method })
        for (let guess = 0; guess < 11; guess++) await stranger.submit({ code, action: 'continue' })
        expect(stranger.page.problem).toBe('too_many_codes')
        await stranger.submit({ action: 'other_method' })
      }
      for (let mail = 0; mail < 6; mail++) {
        w.clock.tick(61_000)
        const again = from('203.0.113.10')
        await begin(again)
        await again.submit({ method: 'email' })
      }
      w.clock.tick(61_000)
      const owner = from('198.51.100.7')
      await begin(owner)
      await owner.submit({ method: 'totp' })
      await owner.submit({ code: totpCode(ann.secret, w.clock.now()), action: 'continue' })
      expect(owner.page.problem).toBe('too_many_codes')
      await owner.submit({ action: 'other_method' })
      await owner.submit({ method: 'recovery-codes' })
      await owner.submit({ code: ann.recoveryCodes[0] ?? '', action: 'continue' })
      // Whoever passed one gate is no stranger: the second has budgets of its own.
      expect(owner.page.page).toBe('choose-method')
      await owner.submit({ method: 'totp' })
      await owner.submit({ code: totpCode(ann.secret, w.clock.now()), action: 'continue' })
      expect(owner.page.page).toBe('new-password')
    } finally {
      await w.close()
      await store.close()
    }
  })
})
