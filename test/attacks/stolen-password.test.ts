// The attacker knows a password and nothing else, of accounts that have no second factor yet, and wants to bind one of his own.
// He posts every form in every order, with every action, method and step token that he can get hold of.
import { expect, it } from '@jest/globals'
import { totpCode } from '../authenticator.ts'
import type { Response } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, register, type World } from '../world.ts'
import {
  anyone,
  arena,
  errorOf,
  leaked,
  mailedCode,
  resumeAddress,
  silently,
  someone,
  stepOf,
  steps,
  walk,
} from './attacker.ts'

const nothingBound = async (w: World, username: string): Promise<void> => {
  const { credentials, email, emailVerified } = await w.account(username)
  expect(credentials).toEqual([])
  expect({ email, emailVerified }).toMatchObject({ email: `${username}@example.org` })
}

const fields: readonly Record<string, string>[] = [
  {},
  { action: 'continue' },
  { action: 'continue', code: '000000' },
  { action: 'continue', code: '00000000' },
  { action: 'continue', code: '' },
  { action: 'continue', acknowledged: 'yes' },
  { action: 'continue', acknowledged: 'yes', code: '000000' },
  { action: 'skip' },
  { action: 'resend' },
  { action: 'other_method' },
  { action: 'finish' },
  { action: '__proto__' },
  { method: 'totp' },
  { method: 'totp', action: 'continue', code: '000000' },
  { method: 'recovery-codes' },
  { method: 'recovery-codes', acknowledged: 'yes' },
  { method: 'email' },
  { method: 'predicate' },
  { method: 'password' },
  { method: 'constructor' },
  { action: 'continue', email: 'attacker@evil.example', address: 'attacker@evil.example', method: 'email' },
  { action: 'continue', requirement: 'enrol', turn: '9' },
  { username: 'somebody', password: 'else', action: 'continue' },
  { action: 'restart' },
]

eachStore('EN-1: the stolen password', (database) => {
  const at = arena(database)

  it.each([
    ['the reasons', 1],
    ['the trust gate', 2],
  ] as const)('EN-1: no form posted at %s binds anything or gives a code', async (_page, until) => {
    const w = await at.enter()
    for (const form of fields) {
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      await walk(w, b, username, until)
      const response = await b.submit(form)
      expect([form, response.status < 500, leaked(response)]).toEqual([form, true, false])
      // Whatever page came: what is typed there next binds nothing either, and no authenticator is ever shown.
      expect(response.html).not.toContain('data-secret')
      expect(response.html).not.toContain('data-recovery-code')
      if (stepOf(b) !== '') {
        const next = await b.submit({ action: 'continue', code: '000000', acknowledged: 'yes' })
        expect([form, next.status < 500, leaked(next)]).toEqual([form, true, false])
        expect(next.html).not.toMatch(/data-secret|data-recovery-code/)
      }
      await nothingBound(w, username)
      expect(errorOf(await silently(w, b))).toBe('login_required')
    }
  })

  it('EN-1: step tokens of an own, registered flow, of another turn and of another browser open nothing', async () => {
    const w = await at.enter()
    const [mine, victim] = [someone(), someone()]
    await w.add(mine)
    await w.add(victim)
    const own = anyone(w)
    const tokens: string[] = []
    for (const step of steps) {
      await step(w, own, mine)
      tokens.push(stepOf(own))
    }
    expect(new Set(tokens).size).toBe(steps.length)
    const b = anyone(w)
    await walk(w, b, victim, 2)
    const here = b.now as Response
    for (const token of [
      ...tokens,
      '',
      '0',
      '3',
      '3.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
      `${stepOf(b)}x`,
      stepOf(b).replace(/^\d+/, '4'),
    ]) {
      for (const form of [
        { code: '000000', action: 'continue' },
        { acknowledged: 'yes', action: 'continue' },
        { action: 'cancel' },
      ] as Record<string, string>[]) {
        const response = await b.request(here.url, { form: { ...form, step: token } })
        expect([token, response.status]).toEqual([token, 403])
      }
    }
    await nothingBound(w, victim)
    await b.open(here.url)
    expect(b.page).toEqual({ page: 'prove', method: 'email' })
  })

  it('EN-1: a code mailed for another account, another flow or another browser opens nothing', async () => {
    const w = await at.enter()
    const [mine, victim] = [someone(), someone()]
    await w.add(mine)
    await w.add(victim)
    const own = anyone(w)
    await walk(w, own, mine, 2)
    const ownCode = await mailedCode(w, own, mine)
    const b = anyone(w)
    await walk(w, b, victim, 2)
    expect((await b.submit({ code: ownCode, action: 'continue' })).status).toBe(422)
    // The victim's own code, asked for in a flow of their own, is of no use in this one.
    w.clock.tick(61_000)
    const theirs = anyone(w)
    await walk(w, theirs, victim, 2)
    const code = await mailedCode(w, theirs, victim)
    expect((await b.submit({ code, action: 'continue' })).status).toBe(422)
    await nothingBound(w, victim)
    await theirs.submit({ code, action: 'continue' })
    expect(theirs.page).toMatchObject({ page: 'enrol', method: 'totp' })
  })

  it.each([
    ['has no address', { email: undefined }],
    ['has an unverified address', { emailVerified: false }],
    ['has an empty address', { email: '' }],
  ])(
    'EN-1: an account that %s stops at the help desk, again and again, and nothing is written',
    async (_what, more) => {
      const w = await at.enter({ policy: { ...defaultPolicy, helpdesk: 'https://help.example/desk' } })
      const username = someone()
      const added = await w.add(username, more as object)
      const b = anyone(w)
      await walk(w, b, username, 1)
      const stopped = await b.submit({ action: 'continue', email: 'attacker@evil.example' })
      expect(stopped.status).toBe(403)
      expect(b.page).toEqual({ page: 'error', problem: 'no_trusted_address' })
      expect(stopped.html).toContain('https://help.example/desk')
      for (let again = 0; again < 2; again++) {
        const page = await b.open(new URL(stopped.url).href)
        expect(leaked(page)).toBe(false)
        expect(page.html).not.toMatch(/data-secret|data-recovery-code|name="(email|address)"/)
        if (stepOf(b) !== '') await b.submit({ action: 'continue', method: 'email', code: '00000000' })
        expect(b.now?.status).toBeGreaterThanOrEqual(400)
        expect(leaked(await b.clone().open(resumeAddress(w, b)))).toBe(false)
      }
      const account = await w.account(username)
      expect(account).toEqual(added)
      expect(w.outbox.mails().filter(({ to }) => to.includes(username))).toEqual([])
      expect(errorOf(await silently(w, b))).toBe('login_required')
    },
  )

  it('EN-1: the trust gate is never remembered: another sign-in asks for it again', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await walk(w, b, username, 3)
    expect(b.page).toMatchObject({ page: 'enrol', method: 'totp' })
    // The same browser begins anew; another one as well.
    w.clock.tick(61_000)
    for (const other of [b, anyone(w)]) {
      await walk(w, other, username, 2)
      expect(other.page).toEqual({ page: 'prove', method: 'email' })
      w.clock.tick(61_000)
    }
    await w.add(`${username}2`)
    expect((await w.account(username)).credentials.map(({ method }) => method)).toEqual(['email'])
  })

  it('EN-1: a predicate that says no, or is not there, stops; its yes is asked for at every sign-in', async () => {
    const policy = {
      ...defaultPolicy,
      registration: { ...defaultPolicy.registration, trustGate: 'predicate' as const },
    }
    const answers = [false, true, false]
    const w = await at.enter({ policy, options: { trustGate: async () => answers.shift() ?? false } })
    const username = someone()
    await w.add(username)
    const pages: unknown[] = []
    for (let times = 0; times < 3; times++) {
      const b = anyone(w)
      await walk(w, b, username, 2)
      pages.push(b.page)
    }
    const stopped = { page: 'error', problem: 'trust_gate_refused' }
    expect(pages).toEqual([stopped, { page: 'enrol', method: 'totp' }, stopped])
    const bare = await at.enter({ policy })
    const b = anyone(bare)
    await walk(bare, b, username, 2)
    expect(b.page).toEqual(stopped)
  })

  it('EN-1: the wizard does not open on a password that is older than five minutes', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await walk(w, b, username, 1)
    w.clock.tick(5 * 60_000 + 1000)
    await b.submit({ action: 'continue' })
    expect(b.page).toMatchObject({ page: 'sign-in' })
    expect(w.outbox.mails().filter(({ to }) => to.includes(username))).toEqual([])
  })

  it('EN-1: a session alone (a browser left open) binds nothing: the password is asked for again', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    w.policy.registration.required = false
    await b.open(w.authorize())
    await b.submit({ username, password: passwordOf(username), action: 'continue' })
    w.policy.registration.required = true
    await b.open(w.authorize())
    for (const form of fields) {
      const tab = b.clone()
      const response = await tab.submit({ ...form, username: 'somebody' })
      expect([form, leaked(response), /data-secret|data-recovery-code/.test(response.html)]).toEqual([
        form,
        false,
        false,
      ])
      if (form['action'] === 'restart') break
    }
    await nothingBound(w, username)
  })

  it('TO-6: a secret that was shown and not confirmed proves nothing, anywhere', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await walk(w, b, username, 3)
    const { secret } = b
    w.clock.tick(61_000)
    const other = anyone(w)
    await walk(w, other, username, 2)
    const response = await other.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
    expect(response.status).toBe(422)
    w.clock.tick(10 * 60_000)
    const late = await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
    expect(leaked(late)).toBe(false)
    expect(b.page.problem).toBe('code_expired')
    expect((await w.account(username)).credentials.map(({ method }) => method)).toEqual(['email'])
  })

  it('EN-1: with the code as well, the owner registers: the tests above can fail', async () => {
    const w = await at.enter()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    expect(leaked((await register(w, b, username)).response)).toBe(true)
  })
})
