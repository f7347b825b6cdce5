// The last step of a reset, fifty at once and with the store failing at every call: one new password or none, never half of one.
import { expect, it } from '@jest/globals'
import { createGate } from '../../src/passwords/gate.ts'
import { createPasswords } from '../../src/passwords/hash.ts'
import { at } from '../journeys/steps.ts'
import {
  choose,
  enter,
  forgot,
  gates,
  mailsTo,
  named,
  newPassword,
  notMeLink,
  type Owner,
  owner,
} from '../journeys/owner.ts'
import { totpCode } from '../authenticator.ts'
import { eachStore } from '../stores.ts'
import { passwordOf, type World } from '../world.ts'
import { anyone, arena, leaked, parallel, someone } from './attacker.ts'
import { hooked } from './hooked.ts'

const log = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Which of these passwords opens the account, judged without any throttle. */
async function opening(w: World, who: Owner, passwords: readonly string[]): Promise<number[]> {
  const check = createPasswords({ keys: w.self.keys.prehash, cost: 4, pool: createGate({ atOnce: 4 }) })
  const { password } = await w.account(who.username)
  const verdicts: boolean[] = []
  for (const one of passwords) verdicts.push((await check.verify(one, password?.hash)).ok)
  return verdicts.flatMap((ok, index) => (ok ? [index] : []))
}

const resets = async (w: World, who: Owner): Promise<number> => {
  const kept = await w.store.audit.query({ accountId: who.id, kind: 'password.reset' }, 100)
  const waiting = (await w.account(who.username)).outbox.filter(({ kind }) => kind === 'password.reset')
  return new Set([...kept, ...waiting].map(({ id }) => id)).size
}

eachStore('RS-4: the last step of a reset', (database) => {
  const here = arena(database)

  it('RS-4: fifty at once, in two processes, with fifty passwords: one password, one epoch, one event, one notice an address', async () => {
    const w = await here.enterTwo()
    const username = someone()
    const second = `${username}@second.example`
    const who = await owner(w, username, { addresses: [`${username}@example.org`, second] })
    const b = anyone(w)
    await gates(w, b, who)
    expect(at(b)).toBe('new-password')
    const passwords = Array.from({ length: 50 }, newPassword)
    const answers = await Promise.all(passwords.map((one) => choose(b.clone(), one)))
    expect(answers.filter(({ status }) => status >= 500)).toEqual([])
    expect(answers.filter(leaked)).toEqual([])
    expect(await opening(w, who, passwords)).toHaveLength(1)
    expect(await opening(w, who, [passwordOf(username)])).toEqual([])
    expect((await w.account(username)).epoch).toBe(2)
    expect(await resets(w, who)).toBe(1)
    for (const address of [`${username}@example.org`, second]) {
      await notMeLink(w, address, /was reset/)
      await new Promise((done) => setTimeout(done, 50))
      const told = (await mailsTo(w, address)).filter(({ subject }) => /was reset/.test(subject))
      expect(told).toHaveLength(1)
    }
  })

  it('RS-4: two whole resets side by side: the first one that ends, ends the other', async () => {
    const w = await here.enterTwo()
    const who = await owner(w, someone())
    const [b, c] = [anyone(w), anyone(w)]
    await gates(w, b, who)
    await gates(w, c, who)
    const passwords = [newPassword(), newPassword()]
    await Promise.all([choose(b, passwords[0] ?? ''), choose(c, passwords[1] ?? '')])
    expect(await opening(w, who, passwords)).toHaveLength(1)
    expect([at(b), at(c)].filter((page) => page === 'changed')).toHaveLength(1)
    expect((await w.account(who.username)).epoch).toBe(2)
  })

  it('RS-9: the last code of the last gate, twenty at once: spent once', async () => {
    const w = await here.enterTwo()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await forgot(w, b)
    await named(b, who.username)
    await b.submit({ method: 'recovery-codes' })
    await parallel(20, () => b.clone().submit({ code: who.codes[0] ?? '', action: 'continue' }))
    await b.open(b.now?.url ?? '')
    expect(at(b)).toBe('choose-method')
    // The one code is one gate, in this walk and in none after it.
    const c = anyone(w)
    await forgot(w, c)
    await named(c, who.username)
    await c.submit({ method: 'recovery-codes' })
    await c.submit({ code: who.codes[0] ?? '', action: 'continue' })
    expect(at(c)).toBe('prove recovery-codes !wrong_code')
  })

  it('a double click on the last button ends on the page that says so', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await gates(w, b, who)
    const password = newPassword()
    const twins = [b.clone(), b.clone()]
    await Promise.all(twins.map((one) => choose(one, password)))
    expect(twins.map(at)).toEqual(['changed', 'changed'])
    await b.open(b.now?.url ?? '')
    expect(at(b)).toBe('changed')
  })

  it('DB-1: the store fails at every call of the last step, one by one: the password before or the one after', async () => {
    const fault = { left: Number.POSITIVE_INFINITY, armed: false, struck: '' }
    const failing = hooked(here.store(), async (call) => {
      if (!fault.armed || --fault.left > 0) return
      fault.armed = false
      fault.struck = call
      throw new Error('the store is down')
    })
    const w = await here.enter({ store: failing, options: { log } })
    const struck: string[] = []
    for (let call = 1; call < 60; call++) {
      const [who, b] = [await owner(w, someone()), anyone(w)]
      await gates(w, b, who)
      const password = newPassword()
      Object.assign(fault, { left: call, armed: true, struck: '' })
      const answer = await choose(b.clone(), password)
      fault.armed = false
      if (fault.struck === '') break
      struck.push(fault.struck)
      const { epoch } = await w.account(who.username)
      const [open] = await opening(w, who, [passwordOf(who.username), password])
      expect([fault.struck, epoch, open]).toEqual([fault.struck, (open ?? -1) + 1, open])
      expect([200, 303, 409, 500, 503]).toContain(answer.status)
      if (open === 0) {
        // Before: the same form, once the store is back.
        await choose(b, password)
        expect([fault.struck, await opening(w, who, [password])]).toEqual([fault.struck, [0]])
      }
      const signedIn = await enter(w, anyone(w), who, { password })
      expect([fault.struck, leaked(signedIn)]).toEqual([fault.struck, true])
      expect(await resets(w, who)).toBe(1)
    }
    expect(struck).toContain('accounts.replace')
  })

  it('RS-8: the code of a second factor that was shown at a gate signs nobody in', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await forgot(w, b)
    await named(b, who.username)
    w.clock.tick(30_000)
    const code = totpCode(who.secret, w.clock.now())
    await b.submit({ method: 'totp' })
    await b.submit({ code, action: 'continue' })
    expect(at(b)).toBe('choose-method')
    const c = anyone(w)
    await c.open(w.authorize())
    await c.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
    expect(leaked(await c.submit({ code, action: 'continue' }))).toBe(false)
    expect(at(c)).toBe('prove totp !code_used')
  })
})
