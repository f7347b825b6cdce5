// The attacker knows the password of somebody who has an authenticator, or holds the authenticator without the password.
// Policy that was relaxed, methods that were switched off, tabs that register at the same time: none may turn two factors into one.
import { describe, expect, it } from '@jest/globals'
import type { Policy } from '../../src/domain/policy.ts'
import type { Account } from '../../src/domain/types.ts'
import { totpCode } from '../authenticator.ts'
import type { Browser, Response } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, register, signIn, type World } from '../world.ts'
import {
  anyone,
  arena,
  errorOf,
  leaked,
  mailedCode,
  parallel,
  resumeAddress,
  silently,
  someone,
  stepOf,
  steps,
  walk,
} from './attacker.ts'

const policyWith = (change: (policy: Policy) => void): Policy => {
  const policy = structuredClone(defaultPolicy)
  change(policy)
  return policy
}

const edit = async (w: World, username: string, change: (account: Account) => Account): Promise<void> => {
  const account = await w.account(username)
  const next = { ...change(account), version: account.version + 1 }
  expect(await w.store.accounts.replace(next, account.version)).toBe(true)
}

const forms: readonly Record<string, string>[] = [
  { action: 'continue' },
  { action: 'skip' },
  { action: 'continue', code: '' },
  { action: 'continue', code: '000000' },
  { action: 'continue', acknowledged: 'yes' },
  { action: 'other_method' },
  { action: 'resend' },
  { method: 'email' },
  { method: 'email', action: 'continue', code: '00000000' },
  { method: 'password' },
]

eachStore('EN-6: the second factor', (database) => {
  const at = arena(database)

  it.each([
    ['registration is not required', (p: Policy): void => void (p.registration.required = false)],
    ['a second factor is not required', (p: Policy): void => void (p.mfa.required = false)],
    ['nobody is in scope', (p: Policy): void => void (p.registration.scope = 'none')],
    ['the method was switched off', (p: Policy): void => void (p.mfa.methods = ['recovery-codes'])],
    ['every method was switched off', (p: Policy): void => void (p.mfa.methods = [])],
    [
      'everything was relaxed',
      (p: Policy): void => {
        p.registration.required = false
        p.mfa = { required: false, methods: [] }
        p.registration.trustGate = 'dangerouslyNone'
      },
    ],
  ] as const)(
    'EN-6: an account with an authenticator never signs in on its password alone: %s',
    async (_what, relax) => {
      const w = await at.enter()
      const username = someone()
      await w.add(username)
      const { recoveryCodes } = await register(w, anyone(w), username)
      relax(w.policy)
      const before = (await w.account(username)).credentials
      for (const form of forms) {
        const b = anyone(w)
        await walk(w, b, username, 1)
        expect(leaked(b.now as Response)).toBe(false)
        expect(['prove', 'choose-method', 'error']).toContain(b.page.page)
        if (stepOf(b) !== '') {
          const response = await b.submit(form)
          expect([form, leaked(response), /data-secret|data-recovery-code/.test(response.html)]).toEqual([
            form,
            false,
            false,
          ])
        }
        expect(leaked(await b.open(resumeAddress(w, b)))).toBe(false)
        expect(errorOf(await silently(w, b))).toBe('login_required')
      }
      const after = (await w.account(username)).credentials
      expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id))
      if (w.policy.mfa.methods.includes('recovery-codes') && !w.policy.mfa.methods.includes('totp')) {
        const b = anyone(w)
        await walk(w, b, username, 1)
        const response = await b.submit({ code: String(recoveryCodes[0]), action: 'continue' })
        expect(leaked(response) || b.page.page === 'error' || b.page.page === 'registration').toBe(true)
      }
    },
  )

  it('EN-6: a disabled authenticator still counts: no code, and no new one on the password alone', async () => {
    for (const policy of [defaultPolicy, policyWith((p) => void (p.registration.required = false))]) {
      const w = await at.enter({ policy })
      const username = someone()
      await w.add(username)
      w.policy.registration.required = true
      const { secret, recoveryCodes } = await register(w, anyone(w), username)
      w.policy.registration.required = policy.registration.required
      await edit(w, username, (account) => ({
        ...account,
        credentials: account.credentials.map((one) => (one.method === 'totp' ? { ...one, disabled: true } : one)),
      }))
      const response = await signIn(w, anyone(w), username, secret)
      expect(leaked(response)).toBe(false)
      expect(response.html).not.toMatch(/data-secret|data-recovery-code/)
      const b = anyone(w)
      await walk(w, b, username, 1)
      expect(b.page).toMatchObject({ page: 'prove', method: 'recovery-codes' })
      await b.submit({ code: String(recoveryCodes[0]), action: 'continue' })
      expect(leaked(b.now as Response) ? 'signed in' : b.page.page).toBe(
        policy.registration.required ? 'registration' : 'signed in',
      )
      // Only a disabled authenticator is left: nothing on the sign-in page can bind another.
      await edit(w, username, (account) => ({
        ...account,
        credentials: account.credentials.filter((one) => one.method === 'totp'),
      }))
      const alone = anyone(w)
      await walk(w, alone, username, 1)
      expect(alone.page).toEqual({ page: 'error', problem: 'no_usable_method' })
      expect(leaked(await alone.open(resumeAddress(w, alone)))).toBe(false)
    }
  })

  it('EN-6: an old session, made before the account had a factor, is asked for it', async () => {
    const w = await at.enter({ policy: policyWith((p) => void (p.registration.required = false)) })
    const username = someone()
    await w.add(username)
    const old = anyone(w)
    await walk(w, old, username, 1)
    expect(leaked(old.now as Response)).toBe(true)
    w.policy.registration.required = true
    const { secret } = await register(w, anyone(w), username)
    w.policy.registration.required = false
    expect(errorOf(await silently(w, old))).toBe('interaction_required')
    await old.open(w.authorize())
    expect(old.page).toMatchObject({ page: 'prove', method: 'totp' })
    for (const form of forms) expect(leaked(await old.clone().submit(form))).toBe(false)
    w.clock.tick(30_000)
    await old.open(w.authorize())
    const response = await old.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
    expect(leaked(response)).toBe(true)
    expect((await w.exchange(response)).claims['amr']).toEqual(['pwd', 'otp', 'mfa'])
  })

  it('EN-7: a code without the password opens nothing, in whatever order it is posted', async () => {
    const w = await at.enter()
    const username = someone()
    await w.add(username)
    const { secret, recoveryCodes } = await register(w, anyone(w), username)
    w.clock.tick(30_000)
    const before = await w.account(username)
    const code = totpCode(secret, w.clock.now())
    for (const form of [
      { username, code, action: 'continue' },
      { username, code, method: 'totp', action: 'continue' },
      { username, method: 'totp' },
      { username, password: '', code, action: 'continue' },
      { username, password: 'wrong', code, action: 'continue' },
      { username, password: code, code, action: 'continue' },
      { username, password: String(recoveryCodes[0]), code: String(recoveryCodes[1]), action: 'continue' },
      { username, code: String(recoveryCodes[0]), action: 'continue' },
      { code, action: 'continue' },
    ] as Record<string, string>[]) {
      const b = anyone(w)
      await b.open(w.authorize())
      const response = await b.submit(form)
      expect([form, leaked(response), b.page.page]).toEqual([form, false, 'sign-in'])
      await b.submit({ code, action: 'continue' })
      expect(b.page.page).toBe('sign-in')
    }
    expect((await w.account(username)).credentials).toEqual(before.credentials)
    // The code was looked at by nobody: it is as good as new behind the password.
    const b = anyone(w)
    await walk(w, b, username, 1)
    expect(leaked(await b.submit({ code, action: 'continue' }))).toBe(true)
  })

  it('EN-7: a proof given for one account proves nothing for another name in the same flow', async () => {
    const w = await at.enter()
    const [mine, victim] = [someone(), someone()]
    await w.add(mine)
    await w.add(victim)
    const { secret } = await register(w, anyone(w), mine)
    await register(w, anyone(w), victim)
    w.clock.tick(30_000)
    const b = anyone(w)
    await walk(w, b, mine, 1)
    const old = b.now as Response
    await b.submit({ action: 'restart' })
    await b.submit({ username: victim, password: passwordOf(victim), action: 'continue' })
    const code = totpCode(secret, w.clock.now())
    expect(leaked(await b.submit({ code, action: 'continue' }))).toBe(false)
    const twin = b.clone()
    twin.now = old
    const response = await twin.submit({ code, username: mine, action: 'continue' })
    expect(leaked(response)).toBe(false)
    await b.submit({ code, username: mine, password: passwordOf(mine), action: 'continue' })
    expect(leaked(b.now as Response)).toBe(false)
  })

  it('EN-9: a factor enrolled in a flow never proves an account that got one meanwhile', async () => {
    const w = await at.enter()
    const username = someone()
    await w.add(username)
    const [owner, thief] = [anyone(w), anyone(w)]
    await walk(w, thief, username, 3)
    expect(thief.page).toMatchObject({ page: 'enrol', method: 'totp' })
    const mine = thief.secret
    w.clock.tick(61_000)
    const { secret } = await register(w, owner, username)
    w.clock.tick(30_000)
    const response = await thief.submit({ code: totpCode(mine, w.clock.now()), action: 'continue' })
    expect(response.status).toBeLessThan(500)
    expect(leaked(response)).toBe(false)
    await thief.open(response.url)
    expect(thief.now?.status).toBe(200)
    expect(thief.page).toMatchObject({ page: 'prove', method: 'totp' })
    const { credentials } = await w.account(username)
    expect(credentials.map(({ method }) => method).toSorted()).toEqual(['email', 'recovery-codes', 'totp'])
    // The owner's authenticator is what opens it, in this tab too.
    await thief.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
    expect(thief.page).toEqual({ page: 'registered' })
    expect(leaked(await thief.submit({ action: 'continue' }))).toBe(true)
  })

  it('EN-9: a tab that waits at the recovery codes learns that another set was acknowledged', async () => {
    const w = await at.enter()
    const username = someone()
    await w.add(username)
    const [first, second] = [anyone(w), anyone(w)]
    await walk(w, first, username, 4)
    expect(first.page).toMatchObject({ page: 'enrol', method: 'recovery-codes' })
    w.clock.tick(61_000)
    await walk(w, second, username, 1)
    expect(second.page).toMatchObject({ page: 'prove', method: 'totp' })
    await first.submit({ acknowledged: 'yes', action: 'continue' })
    expect(leaked(await first.submit({ action: 'continue' }))).toBe(true)
    const sets = (await w.account(username)).credentials.filter(({ method }) => method === 'recovery-codes')
    expect(sets).toHaveLength(1)
  })

  it('EN-9: five tabs confirm an authenticator of their own at the same moment: one is bound, no tab dies', async () => {
    for (let round = 0; round < 2; round++) {
      const w = await at.enterTwo()
      const username = someone()
      await w.add(username)
      const tabs = []
      for (let index = 0; index < 5; index++) {
        const b = anyone(w)
        await walk(w, b, username, 3)
        expect(b.page.page).toMatch(/enrol|prove/)
        tabs.push(b)
        w.clock.tick(61_000)
      }
      const ready = tabs.filter(({ page }) => page.page === 'enrol')
      const answers = await Promise.all(
        ready.map((b) => b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })),
      )
      expect(answers.filter(({ status }) => status >= 500)).toEqual([])
      expect(answers.filter(leaked)).toEqual([])
      const { credentials } = await w.account(username)
      expect(credentials.filter(({ method }) => method === 'totp')).toHaveLength(1)
      expect(ready.filter(({ page }) => page.method === 'recovery-codes')).toHaveLength(1)
      for (const b of ready) {
        await b.open((b.now as Response).url)
        expect(b.now?.status).toBe(200)
      }
    }
  })

  it.each([
    [
      'the mailed code',
      2,
      async (w: World, b: Browser, username: string) => ({ code: await mailedCode(w, b, username) }),
    ],
    ['the acknowledged codes', 4, async () => ({ acknowledged: 'yes' })],
  ] as const)(
    'EN-9: %s, posted thirty times at once, binds one credential and goes on once',
    async (_what, until, form) => {
      const w = await at.enterTwo()
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      await walk(w, b, username, until)
      const fields = { ...(await form(w, b, username)), action: 'continue' } as Record<string, string>
      const answers = await parallel(30, () => b.clone().submit(fields))
      expect(answers.map(({ status }) => status).filter((status) => status !== 200 && status !== 429)).toEqual([])
      expect(answers.some(({ status }) => status === 200)).toBe(true)
      const { credentials } = await w.account(username)
      const methods = credentials.map(({ method }) => method)
      expect(methods).toEqual([...new Set(methods)])
      expect(methods).toHaveLength(until === 2 ? 1 : 3)
    },
  )

  it('EN-9: a confirming code of an authenticator, posted thirty times at once, binds one', async () => {
    const w = await at.enterTwo()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await walk(w, b, username, 3)
    const fields = { code: totpCode(b.secret, w.clock.now()), action: 'continue' }
    const answers = await parallel(30, () => b.clone().submit(fields))
    expect(answers.map(({ status }) => status).filter((status) => status !== 200 && status !== 429)).toEqual([])
    expect(answers.some(({ status }) => status === 200)).toBe(true)
    const { credentials } = await w.account(username)
    expect(credentials.filter(({ method }) => method === 'totp')).toHaveLength(1)
  })

  describe('OC-4: mailed codes are no factor', () => {
    it.each([
      ['with recovery codes', ['totp', 'recovery-codes'], ['email', 'recovery-codes']],
      ['without', [], ['email']],
    ] as const)('OC-4: password and mailed code never make `mfa`, %s', async (_what, mfa, reset) => {
      const w = await at.enter({
        policy: policyWith((p) => {
          p.mfa = { required: false, methods: [...mfa] }
          p.reset = { ...p.reset, methods: [...reset] }
        }),
      })
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      await walk(w, b, username, 3)
      for (let more = 0; more < 4 && !leaked(b.now as Response); more++) {
        await b.submit({ action: 'continue', acknowledged: 'yes' })
      }
      const response = b.now as Response
      expect([b.page, leaked(response)]).toEqual([{}, true])
      const { claims } = await w.exchange(response)
      expect(claims['amr']).toEqual(['pwd'])
      expect(claims['acr']).toBe('urn:oidc-self-service:acr:pwd')
      // What is registered for a reset alone is not asked for at the next sign-in either.
      const next = anyone(w)
      await walk(w, next, username, 1)
      expect(leaked(next.now as Response)).toBe(true)
    })
  })

  it('EN-13: registration and both factors are told truthfully, and the second factor does not move auth_time', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    const { response, secret } = await register(w, b, username)
    expect((await w.exchange(response)).claims).toMatchObject({ amr: ['pwd', 'otp', 'mfa'] })
    const other = anyone(w)
    await other.open(w.authorize())
    await steps[1]?.(w, other, username)
    const proven = Math.floor(w.clock.now() / 1000)
    w.clock.tick(120_000)
    const signedIn = await other.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
    const { claims } = await w.exchange(signedIn)
    expect(claims).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'urn:oidc-self-service:acr:mfa' })
    expect(Math.abs(Number(claims['auth_time']) - proven)).toBeLessThanOrEqual(1)
  })
})
