// Several processes behind one issuer, on one store: a user who meets another one at every request notices nothing.
import { afterEach, expect, it } from '@jest/globals'
import { eachStore } from '../stores.ts'
import type { Browser } from '../browser.ts'
import { register, signIn, type World, world } from '../world.ts'
import { at, password, returned, wizard, wrongCode } from './steps.ts'

eachStore('hops between processes', (database) => {
  const worlds: World[] = []
  afterEach(async () => {
    for (const w of worlds.splice(0)) await w.close()
  })

  async function open(processes: number): Promise<World> {
    const data = await database()
    const peers = await Promise.all(Array.from({ length: processes - 1 }, () => data.open()))
    const w = await world({ store: await data.open(), peers })
    worlds.push(w)
    return w
  }

  it.each([2, 3])(
    'registration, single sign-on and the second sign-in, over %i processes in turn',
    async (processes) => {
      const w = await open(processes)
      const account = await w.add('hopper')
      const b = w.browser()
      const { response, secret } = await register(w, b, 'hopper')
      expect((await w.exchange(response)).claims).toMatchObject({ sub: account.id, amr: ['pwd', 'otp', 'mfa'] })
      for (let round = 0; round < processes; round++) {
        expect(returned(await b.open(w.authorize({ prompt: 'none' })))).toHaveProperty('code')
      }
      for (let round = 0; round < processes; round++) {
        const tokens = await w.exchange(await signIn(w, w.browser(), 'hopper', secret))
        expect(tokens.claims).toMatchObject({ sub: account.id })
      }
    },
  )

  it('TH-7: what is counted is counted once, whoever is asked', async () => {
    const w = await open(2)
    await w.add('counted')
    const guess = async (b: Browser, word: string): Promise<string> => {
      await b.open(w.authorize())
      await b.submit({ username: 'counted', password: word, action: 'continue' })
      return at(b)
    }
    const b = w.browser()
    for (let count = 0; count < 10; count++) expect(await guess(b, `wrong ${count}`)).toBe('sign-in !wrong_password')
    for (let count = 0; count < 2; count++) {
      await password(w, b, 'counted')
      expect(at(b)).toBe('sign-in !too_many_passwords')
    }
  })

  it('SE-1: signing out in one process is seen by the other at its next request', async () => {
    const w = await open(2)
    const { id } = await w.add('gone')
    const b = w.browser()
    await register(w, b, 'gone')
    await w.self.signOut(id)
    for (let round = 0; round < 2; round++) {
      expect(returned(await b.open(w.authorize({ prompt: 'none' })))).toMatchObject({ error: 'login_required' })
    }
  })

  it('a wrong code, a reload and the hint at the clock follow the user', async () => {
    const w = await open(2)
    await w.add('hint')
    const b = w.browser()
    const secret = await wizard(w, b, 'hint', 'totp')
    for (const problem of ['wrong_code', 'wrong_code', 'wrong_code_clock']) {
      await b.submit({ code: wrongCode(secret, w.clock.now()), action: 'continue' })
      expect(at(b)).toBe(`enrol totp !${problem}`)
      expect(b.secret).toBe(secret)
    }
  })
})
