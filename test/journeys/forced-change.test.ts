// Temporary, flagged or compromised: no code, token or session on any path before the password is another one.
import { expect, it } from '@jest/globals'
import { totpCode } from '../authenticator.ts'
import { hidden, type Browser, type Response } from '../browser.ts'
import { anyone, arena, back, errorOf, leaked, resumeAddress, silently, someone } from '../attacks/attacker.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, RP, type World } from '../world.ts'
import { byApp, byCode, choose, enter, gates, newPassword, opens, type Owner, owner } from './owner.ts'
import { at } from './steps.ts'

const relyingParty = (id: string) => ({
  client_id: id,
  client_secret: 'rp-secret',
  redirect_uris: [`${RP}/cb`],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  response_types: ['code', 'none'],
})
const clients = [relyingParty('rp'), relyingParty('rp2')] as never
const host = { issueRefreshToken: async () => true, expiresWithSession: async () => false }
const optional = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }

/** As an administrator does: the flag, and the epoch in the same write. */
async function flag(w: World, username: string, why: 'temporary' | 'flagged', epochs = 1): Promise<void> {
  const account = await w.account(username)
  if (!account.password) throw new Error('no password to flag')
  const next = {
    ...account,
    epoch: account.epoch + epochs,
    version: account.version + 1,
    password: { ...account.password, mustChange: why },
  }
  if (!(await w.store.accounts.replace(next, account.version))) throw new Error('not flagged')
}

async function connect(w: World, b: Browser): Promise<() => Promise<unknown>> {
  const device = await back(w, '/device/auth', { client_id: 'rp', scope: 'openid' })
  const code = String(device['user_code'])
  await b.open(`${w.issuer}/device?user_code=${code}`)
  const form = { ...hidden(b.now?.html ?? ''), user_code: code, confirm: 'yes' }
  await b.open(await b.request(`${w.issuer}/device`, { form }))
  const grant = {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: String(device['device_code']),
  }
  return async () => (await back(w, '/token', grant))['error']
}

const stopped = async (w: World, b: Browser, who: Owner): Promise<void> => {
  expect(leaked(b.now as Response)).toBe(false)
  expect(leaked(await silently(w, b))).toBe(false)
  expect(leaked(await silently(w, b, { client_id: 'rp2' }))).toBe(false)
  const page = at(b)
  expect(leaked(await b.open(resumeAddress(w, b)))).toBe(false)
  expect(at(b)).toBe(page.split(' ')[0])
  const tab = b.clone()
  await tab.open(w.authorize({ client_id: 'rp2' }))
  expect(at(tab)).toBe('sign-in')
  const poll = await connect(w, b.clone())
  expect(await poll()).toBe('authorization_pending')
  expect((await w.account(who.username)).password?.mustChange).toBeDefined()
}

eachStore('forced change', (database) => {
  const here = arena(database)

  for (const why of ['temporary', 'flagged'] as const) {
    it(`CH-4: ${why}: nothing is issued on any path before it is changed, and everything after`, async () => {
      const w = await here.enter({ clients, host })
      const [who, b] = [await owner(w, someone()), anyone(w)]
      const earlier = anyone(w)
      const tokens = await w.exchange(await enter(w, earlier, who))
      await flag(w, who.username, why)
      const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
      expect((await back(w, '/token', refresh))['error']).toBe('invalid_grant')
      expect(errorOf(await silently(w, earlier))).toBe('login_required')
      await enter(w, b, who)
      expect(at(b)).toBe('new-password')
      await stopped(w, b, who)
      for (const fields of [
        { action: 'continue' },
        { action: 'skip' },
        { action: 'other_method' },
        { method: 'totp' },
      ] as Record<string, string>[]) {
        expect(leaked(await b.clone().submit(fields))).toBe(false)
      }
      await choose(b, passwordOf(who.username))
      expect(at(b)).toBe('new-password !password_same')
      await stopped(w, b, who)
      const password = newPassword()
      const response = await choose(b, password)
      expect((await w.exchange(response)).claims).toMatchObject({ sub: who.id, amr: ['pwd', 'otp', 'mfa'] })
      const account = await w.account(who.username)
      expect([account.password?.mustChange, account.epoch]).toEqual([undefined, 3])
      expect(leaked(await silently(w, b, { client_id: 'rp2' }))).toBe(true)
      expect(await opens(w, who, passwordOf(who.username))).toBe(false)
    })
  }

  it('CH-4: flagged without a new epoch: an old session is stopped, for every client and by the device flow', async () => {
    const w = await here.enter({ clients })
    const [who, b] = [await owner(w, someone()), anyone(w)]
    expect(leaked(await enter(w, b, who))).toBe(true)
    await flag(w, who.username, 'flagged', 0)
    for (const more of [{}, { client_id: 'rp2' }, { prompt: 'consent' }, { response_type: 'none' }] as Record<
      string,
      string
    >[]) {
      expect([more, errorOf(await silently(w, b, { ...more, prompt: 'none' }))]).toEqual([more, 'interaction_required'])
      await b.open(w.authorize(more))
      expect(at(b)).toBe('password')
      expect(leaked(await b.open(resumeAddress(w, b)))).toBe(false)
    }
    const poll = await connect(w, b)
    expect([await poll(), at(b)]).toEqual(['authorization_pending', 'password'])
    await b.open(w.authorize())
    await b.submit({ password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('new-password')
    expect(leaked(await choose(b, newPassword()))).toBe(true)
    expect((await w.account(who.username)).password?.mustChange).toBeUndefined()
  })

  it('CH-4: without a factor the trust gate comes first: name and temporary password alone change nothing', async () => {
    const w = await here.enter({ policy: optional })
    const username = someone()
    await w.add(username)
    await flag(w, username, 'temporary')
    const b = anyone(w)
    await enter(w, b, { username, secret: '' })
    expect(at(b)).toBe('prove email')
    await choose(b.clone(), 'a password of my own, long')
    expect((await w.account(username)).password?.mustChange).toBe('temporary')
    await b.submit({ code: await w.code(`${username}@example.org`), action: 'continue' })
    expect(at(b)).toBe('new-password')
    await choose(b, 'short one')
    expect(at(b)).toBe('new-password !password_too_short')
    await choose(b, 'a password of my own, long')
    await b.submit({ action: 'continue' })
    expect(leaked(b.now as Response)).toBe(true)
  })

  it('CH-4: registration and forced change together: gate, password, then the rest; the new password is the one that stays', async () => {
    const w = await here.enter()
    const username = someone()
    await w.add(username)
    await flag(w, username, 'temporary')
    const b = anyone(w)
    await enter(w, b, { username, secret: '' })
    expect(at(b)).toBe('registration')
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('prove email')
    await b.submit({ code: await w.code(`${username}@example.org`), action: 'continue' })
    expect(at(b)).toBe('new-password')
    const password = 'long enough to stand alone'
    await choose(b, password)
    expect(at(b)).toBe('enrol totp')
    const { secret } = b
    await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
    await b.submit({ acknowledged: 'yes', action: 'continue' })
    expect(at(b)).toBe('registered')
    expect(leaked(await b.submit({ action: 'continue' }))).toBe(true)
    expect([await opens(w, { username }, password), await opens(w, { username }, passwordOf(username))]).toEqual([
      true,
      false,
    ])
  })

  it('CH-4: a common password, right at sign-in, is flagged then and there', async () => {
    const w = await here.enter({ clients })
    const who = await owner(w, someone())
    const [b, set] = [anyone(w), anyone(w)]
    const { createPasswords } = await import('../../src/passwords/hash.ts')
    const { createGate } = await import('../../src/passwords/gate.ts')
    const passwords = createPasswords({ keys: w.self.keys.prehash, cost: 4, pool: createGate({ atOnce: 2 }) })
    const account = await w.account(who.username)
    const hash = await passwords.hash('Password123')
    const next = { ...account, password: { hash, changedAt: w.clock.now() }, version: account.version + 1 }
    await w.store.accounts.replace(next, account.version)
    await enter(w, b, who, { password: 'Password123' })
    expect(at(b)).toBe('new-password')
    expect((await w.account(who.username)).password?.mustChange).toBe('compromised')
    await stopped(w, b, who)
    // Out of the flow and in again: still.
    await enter(w, set, who, { password: 'Password123' })
    expect(at(set)).toBe('new-password')
    expect(leaked(await choose(set, newPassword()))).toBe(true)
    const kinds = await w.store.audit.query({ accountId: who.id, kind: 'password.flagged' }, 10)
    expect(kinds.map(({ reason }) => reason)).toEqual(['compromised'])
  })

  it('CH-4: a reset is a change as well: the flag goes with the old password', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await flag(w, who.username, 'flagged')
    await gates(w, b, who)
    const password = newPassword()
    await choose(b, password)
    expect(at(b)).toBe('changed')
    expect(leaked(await enter(w, anyone(w), who, { password }))).toBe(true)
  })

  it('CH-4: unlocking is no change: the flag stays', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await flag(w, who.username, 'flagged')
    await b.open(w.authorize())
    await b.submit({ action: 'forgot' })
    await b.submit({ username: who.username, action: 'unlock' })
    await byApp(w, b, who)
    await byCode(b, who)
    expect(at(b)).toBe('changed')
    expect((await w.account(who.username)).password?.mustChange).toBe('flagged')
  })
})
