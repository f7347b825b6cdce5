// The attacker has one code that is good once, and fifty hands: every post is sent at the same moment, over two processes.
// One authenticator code, one recovery code, one mailed code, one authorization code, one refresh token: one success each.
import { expect, it } from '@jest/globals'
import type { EventKind } from '../../src/domain/types.ts'
import { totpCode } from '../authenticator.ts'
import type { Browser, Response } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { register, RP, signIn, verifier, type World } from '../world.ts'
import { anyone, arena, back, leaked, mailedCode, parallel, someone, steps, walk } from './attacker.ts'

const FIFTY = 50

async function registered(w: World): Promise<{ username: string; secret: string; recoveryCodes: string[] }> {
  const username = someone()
  await w.add(username)
  const { secret, recoveryCodes } = await register(w, anyone(w), username)
  w.clock.tick(30_000)
  return { username, secret, recoveryCodes }
}

/** Fifty sign-ins of one account, each in a browser of its own, that wait at the second factor. */
const atTheSecondFactor = (w: World, username: string): Promise<Browser[]> =>
  parallel(FIFTY, async () => {
    const b = anyone(w)
    await walk(w, b, username, 1)
    expect(b.page.page).toBe('prove')
    return b
  })

/** How often that happened: in the trail, or still in the account's outbox on its way there. */
async function events(w: World, username: string, kind: EventKind, outcome: 'success' | 'failure'): Promise<number> {
  const { id, outbox } = await w.account(username)
  const found = [...outbox, ...(await w.store.audit.query({ accountId: id }, 1000))]
  return new Set(found.filter((one) => one.kind === kind && one.outcome === outcome).map((one) => one.id)).size
}

const refused = (answers: readonly Response[]): number[] =>
  answers.filter((answer) => !leaked(answer)).map(({ status }) => status)

const grantOf = (response: Response) => ({
  grant_type: 'authorization_code',
  code: new URL(response.location ?? RP).searchParams.get('code') ?? '',
  redirect_uri: `${RP}/cb`,
  code_verifier: verifier,
})

eachStore('TO-3: what may be used once', (database) => {
  const at = arena(database)

  it.each([
    ['one process', 'enter'],
    ['two processes', 'enterTwo'],
  ] as const)(
    'TO-3: one code of an authenticator, fifty sign-ins at once in %s: one is signed in',
    async (_where, enter) => {
      const w = await at[enter]()
      const { username, secret } = await registered(w)
      const browsers = await atTheSecondFactor(w, username)
      const code = totpCode(secret, w.clock.now())
      const answers = await Promise.all(browsers.map((b) => b.submit({ code, action: 'continue' })))
      expect(answers.filter(leaked)).toHaveLength(1)
      expect(refused(answers).filter((status) => status !== 422 && status !== 429)).toEqual([])
      expect(await events(w, username, 'sign-in.proof', 'success')).toBe(1)
      expect(await events(w, username, 'sign-in.completed', 'success')).toBe(2)
    },
  )

  it('TO-3: one code of an authenticator, fifty posts of one form: one sign-in, and no post meets an error', async () => {
    const w = await at.enterTwo()
    const { username, secret } = await registered(w)
    const b = anyone(w)
    await walk(w, b, username, 1)
    const code = totpCode(secret, w.clock.now())
    const answers = await parallel(FIFTY, () => b.clone().submit({ code, action: 'continue' }))
    // One sign-in; how many codes one answered request of one browser gets is the provider's business, as with any session.
    expect(answers.filter(leaked).length).toBeGreaterThanOrEqual(1)
    expect(await events(w, username, 'sign-in.completed', 'success')).toBe(2)
    expect(answers.filter(({ status }) => status >= 500)).toEqual([])
    expect(await events(w, username, 'sign-in.proof', 'success')).toBe(1)
    expect(await events(w, username, 'sign-in.proof', 'failure')).toBe(0)
  })

  it('RC-3: one recovery code, fifty sign-ins at once in two processes: one is signed in', async () => {
    const w = await at.enterTwo()
    const { username, recoveryCodes } = await registered(w)
    const browsers = await atTheSecondFactor(w, username)
    await Promise.all(browsers.map((b) => b.submit({ method: 'recovery-codes' })))
    const code = String(recoveryCodes[3])
    const answers = await Promise.all(browsers.map((b) => b.submit({ code, action: 'continue' })))
    expect(answers.filter(leaked)).toHaveLength(1)
    expect(answers.filter(({ status }) => status >= 500)).toEqual([])
    const set = (await w.account(username)).credentials.find(({ method }) => method === 'recovery-codes')
    const data = set?.data as { codes: { usedAt?: number }[] } | undefined
    expect(data?.codes.filter(({ usedAt }) => usedAt !== undefined)).toHaveLength(1)
  })

  it('TO-3, RC-3: a code counts once in its own flow as well: begun anew, it is used', async () => {
    const w = await at.enter()
    const { username, secret, recoveryCodes } = await registered(w)
    const account = await w.account(username)
    // Something is left to register, so that the flow goes on behind the second factor.
    const credentials = account.credentials.filter(({ method }) => method !== 'email')
    await w.store.accounts.replace({ ...account, credentials, version: account.version + 1 }, account.version)
    w.policy.reset = { ...w.policy.reset, gates: 2, methods: ['totp', 'email'] }
    for (const form of [
      { code: totpCode(secret, w.clock.now()), action: 'continue' },
      { code: String(recoveryCodes[0]), action: 'continue' },
    ]) {
      const b = anyone(w)
      await walk(w, b, username, 1)
      if (form.code.length > 6) await b.submit({ method: 'recovery-codes' })
      await b.submit(form)
      expect(b.page.page).toBe('registration')
      for (const anew of ['restart', 'wait', 'request'] as const) {
        if (anew === 'restart') await b.submit({ action: 'restart' })
        if (anew === 'wait') w.clock.tick(16 * 60_000)
        await b.open(anew === 'request' ? w.authorize() : (b.now as Response).url)
        await steps[1]?.(w, b, username)
        expect(b.page.page).toBe('prove')
        if (form.code.length > 6) await b.submit({ method: 'recovery-codes' })
        await b.submit(form)
        expect([anew, b.page.page, b.now?.status]).toEqual([anew, 'prove', 422])
      }
    }
  })

  it('OC-3: one mailed code, fifty posts at once in two processes: one passes the gate, one thing is bound', async () => {
    const w = await at.enterTwo()
    for (let round = 0; round < 2; round++) {
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      if (round > 0) {
        // The address is registered already: the same code only proves it.
        const before = anyone(w)
        await walk(w, before, username, 3)
        w.clock.tick(61_000)
      }
      await walk(w, b, username, 2)
      const code = await mailedCode(w, b, username)
      const passed = await events(w, username, 'trust-gate', 'success')
      const answers = await parallel(FIFTY, () => b.clone().submit({ code, action: 'continue' }))
      // Five may be compared at the same time; the others are told to wait, or find the gate passed.
      expect(answers.map(({ status }) => status).filter((status) => status !== 200 && status !== 429)).toEqual([])
      expect(answers.some(({ status }) => status === 200)).toBe(true)
      expect(await events(w, username, 'trust-gate', 'success')).toBe(passed + 1)
      expect((await w.account(username)).credentials.map(({ method }) => method)).toEqual(['email'])
    }
  })

  it('OI-5: one authorization code, fifty redemptions at once in two processes: one wins, 49 invalid_grant, no 500', async () => {
    const w = await at.enterTwo()
    const { username, secret } = await registered(w)
    const b = anyone(w)
    for (let round = 0; round < 3; round++) {
      const response = round === 0 ? await signIn(w, b, username, secret) : await b.open(w.authorize())
      expect(leaked(response)).toBe(true)
      const answers = await parallel(FIFTY, () => back(w, '/token', grantOf(response)))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
      const losers = answers.filter(({ status }) => status !== 200)
      expect(new Set(losers.map(({ status, error }) => `${status} ${String(error)}`))).toEqual(
        new Set(['400 invalid_grant']),
      )
    }
  })

  it('OI-5: one refresh token, fifty rotations at once in two processes: at most one wins, no 500', async () => {
    const w = await at.enterTwo({ host: { rotateRefreshToken: true, issueRefreshToken: async () => true } })
    const { username, secret } = await registered(w)
    const b = anyone(w)
    for (let round = 0; round < 3; round++) {
      const response = round === 0 ? await signIn(w, b, username, secret) : await b.open(w.authorize())
      const tokens = await back(w, '/token', grantOf(response))
      const refresh = { grant_type: 'refresh_token', refresh_token: String(tokens['refresh_token']) }
      const answers = await parallel(FIFTY, () => back(w, '/token', refresh))
      const won = answers.filter(({ status }) => status === 200)
      expect(won.length).toBeLessThanOrEqual(1)
      const losers = answers.filter(({ status }) => status !== 200)
      expect(new Set(losers.map(({ status, error }) => `${status} ${String(error)}`))).toEqual(
        new Set(['400 invalid_grant']),
      )
      // Used a second time, its whole family is dead, whoever holds what it was turned into (RFC 9700 4.14.2).
      expect((await back(w, '/token', refresh)).status).toBe(400)
      for (const token of won) {
        const next = { grant_type: 'refresh_token', refresh_token: String(token['refresh_token']) }
        expect((await back(w, '/token', next)).status).toBe(400)
      }
    }
  })

  it('OI-5: alone, each of them works: the tests above can fail', async () => {
    const w = await at.enterTwo({ host: { rotateRefreshToken: true, issueRefreshToken: async () => true } })
    const { username, secret } = await registered(w)
    const tokens = await back(w, '/token', grantOf(await signIn(w, anyone(w), username, secret)))
    const next = await back(w, '/token', {
      grant_type: 'refresh_token',
      refresh_token: String(tokens['refresh_token']),
    })
    expect([tokens.status, next.status]).toEqual([200, 200])
    expect(next['refresh_token']).not.toBe(tokens['refresh_token'])
  })
})
