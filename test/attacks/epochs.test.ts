// The attacker holds a session, a code, a token, or a request in flight, while the owner changes the password elsewhere.
// The change is made at every single store call of every kind of request; nothing signed in before it may be alive after it.
import { expect, it } from '@jest/globals'
import type { Configuration } from 'oidc-provider'
import type { Store } from '../../src/domain/ports.ts'
import { vaultFor } from '../../src/domain/seal.ts'
import type { Account } from '../../src/domain/types.ts'
import { acr } from '../../src/flows/finish.ts'
import { createMethods } from '../../src/methods/index.ts'
import { totpCode } from '../authenticator.ts'
import type { Browser, Response } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, register, RP, signIn, verifier, type World } from '../world.ts'
import { anyone, arena, back, errorOf, leaked, resumeAddress, silently, someone, stepOf, walk } from './attacker.ts'
import { hooked, plainAdapter } from './hooked.ts'

const policy = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }
const host: Configuration = { issueRefreshToken: async () => true, expiresWithSession: async () => false }
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

/** The owner's change elsewhere: another password, another epoch, in one write. The old password opens nothing from here on. */
async function change(store: Store, id: string): Promise<void> {
  for (;;) {
    const account = await store.accounts.find(id)
    if (!account) throw new Error('no such account')
    const password = { hash: '$2b$04$abcdefghijklmnopqrstuuK1Yy2Fb0VJQ8YbC0yJ9nSvd3cXDTS6e', changedAt: Date.now() }
    const next = { ...account, password, epoch: account.epoch + 1, version: account.version + 1 }
    if (await store.accounts.replace(next, account.version)) return
  }
}

interface Tokens {
  access?: string
  refresh?: string
}

const tokensOf = ({ access_token: access, refresh_token: refresh }: Record<string, unknown>): Tokens => ({
  ...(typeof access === 'string' && { access }),
  ...(typeof refresh === 'string' && { refresh }),
})

const redeem = async (w: World, response: Response | undefined): Promise<Tokens> => {
  const code = response?.location && new URL(response.location).searchParams.get('code')
  if (!code) return {}
  const grant = { grant_type: 'authorization_code', code, redirect_uri: `${RP}/cb`, code_verifier: verifier }
  return tokensOf(await back(w, '/token', grant))
}

const refreshed = (w: World, token: string) => back(w, '/token', { grant_type: 'refresh_token', refresh_token: token })

/** What still works of all that. */
async function alive(w: World, b: Browser, held: readonly Tokens[]): Promise<string[]> {
  const found: string[] = []
  for (const { access, refresh } of held) {
    if (access !== undefined) {
      const userinfo = await fetch(`${w.issuer}/me`, { headers: { authorization: `Bearer ${access}` } })
      if (userinfo.status === 200) found.push('userinfo')
      expect([200, 401]).toContain(userinfo.status)
      if ((await back(w, '/token/introspection', { token: access }))['active'] === true) found.push('introspection')
    }
    if (refresh !== undefined) {
      const answer = await refreshed(w, refresh)
      if (answer.status === 200) found.push('refresh')
      expect([200, 400]).toContain(answer.status)
    }
  }
  const silent = await silently(w, b)
  if (errorOf(silent) !== 'login_required') found.push(`session (${errorOf(silent) ?? silent.status})`)
  return found
}

async function password(w: World, b: Browser, username: string, more: Record<string, string> = {}): Promise<Response> {
  const shows = (page: string): boolean => b.page.page === page
  await b.open(w.authorize(more))
  if (!shows('sign-in')) return b.now as Response
  await b.submit({ username, password: passwordOf(username), action: 'continue' })
  if (shows('prove')) await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
  if (shows('consent')) await b.submit({ action: 'continue' })
  return b.now as Response
}

interface Attack {
  prepare?(w: World, b: Browser, username: string): Promise<unknown>
  run(w: World, b: Browser, username: string, prepared: unknown): Promise<Tokens[]>
}

async function withFactor(w: World, { username }: Account, credentials: Account['credentials']): Promise<void> {
  const account = await w.account(username)
  await w.store.accounts.replace({ ...account, credentials, version: account.version + 1 }, account.version)
}

const attacks: Record<string, Attack> = {
  'single sign-on and exchange': {
    prepare: password,
    run: async (w, b) => [await redeem(w, await b.open(w.authorize()))],
  },
  'sign-in from scratch': {
    run: async (w, b, username) => [await redeem(w, await password(w, b, username))],
  },
  refresh: {
    prepare: async (w, b, username) => redeem(w, await password(w, b, username)),
    run: async (w, _b, _username, prepared) => {
      const before = prepared as Tokens
      return [before, tokensOf(await refreshed(w, before.refresh ?? ''))]
    },
  },
  // The factor is the attacker's to show: the session behind it died, and nothing of it may live on under the new epoch.
  'a step-up': {
    prepare: async (w, b, username) => {
      const account = await w.account(username)
      await withFactor(w, account, [])
      await password(w, b, username)
      await withFactor(w, account, account.credentials)
    },
    run: async (w, b) => {
      await b.open(w.authorize({ acr_values: acr.multiFactor }))
      if (b.page.page === 'prove') await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
      return [await redeem(w, b.now)]
    },
  },
  device: {
    prepare: async (w, b, username) => {
      await password(w, b, username)
      return back(w, '/device/auth', { client_id: 'rp', scope: 'openid' })
    },
    run: async (w, b, _username, prepared) => {
      const device = prepared as Record<string, unknown>
      const code = String(device['user_code'])
      const page = await b.open(`${w.issuer}/device?user_code=${code}`)
      const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.html)?.[1] ?? ''
      await b.open(await b.request(`${w.issuer}/device`, { form: { xsrf, user_code: code, confirm: 'yes' } }))
      const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
      return [tokensOf(await back(w, '/token', { grant_type, device_code: String(device['device_code']) }))]
    },
  },
}

const watched = /^(after )?(accounts|rows|flows)\.|^(upsert|find|findBy\w+|consume|destroy|revoke) /

eachStore('SE-2: epochs', (database) => {
  const at = arena(database)

  const inFlight = async (attack: Attack, own: boolean, more: { factor?: boolean; consent?: boolean }) => {
    let count = 0
    let strikes: { at: number; id: string } | undefined
    let fired: string | undefined
    const hook = async (call: string): Promise<void> => {
      if (!strikes || !watched.test(call) || count++ !== strikes.at) return
      fired = call
      const { id } = strikes
      strikes = undefined
      await change(at.store(), id)
    }
    const w = await at.enter({
      store: hooked(at.store(), hook, ['accounts.find', 'accounts.findByUsernameKey']),
      policy,
      host: own ? host : { ...host, adapter: plainAdapter(hook) },
      options: { firstParty: () => !more.consent, log: { info: () => 0, warn: () => 0, error: () => 0 } },
    })
    const [totp] = createMethods()
    const holes: string[] = []
    let points = 0
    for (; ; points++) {
      const [username, b] = [someone(), anyone(w)]
      const account = await w.add(username)
      if (more.factor) {
        const vault = vaultFor(w.self.keys, account.id)
        const credential = totp?.importRow?.({ secret, label: '' }, { vault, chance: w.clock })
        if (!credential || typeof credential === 'string') throw new Error('no authenticator was imported')
        await at.store().accounts.replace({ ...account, credentials: [credential], version: 2 }, 1)
      }
      const prepared = await attack.prepare?.(w, b, username)
      count = 0
      fired = undefined
      strikes = { at: points, id: account.id }
      const held = await attack.run(w, b, username, prepared)
      const struck = strikes === undefined
      strikes = undefined
      if (!struck) {
        // Never struck: everything is alive, or the search above looks for nothing.
        expect(await alive(w, b, held.slice(-1))).toEqual(
          expect.arrayContaining(['userinfo', 'introspection', 'refresh']),
        )
        break
      }
      const found = await alive(w, b, held)
      if (found.length > 0) holes.push(`#${points} ${fired}: ${found.join(', ')}`)
    }
    expect(holes).toEqual([])
    expect(points).toBeGreaterThanOrEqual(5)
  }

  it.each(Object.keys(attacks))('SE-2: a change at every store call of %s leaves nothing alive', (name) => {
    // The longest way in: with a second factor and a consent page.
    const more = name === 'sign-in from scratch' ? { factor: true, consent: true } : { factor: name === 'a step-up' }
    return inFlight(attacks[name] as Attack, true, more)
  })
  it.each(Object.keys(attacks))("SE-2: the same over a host's own adapter: %s", (name) =>
    inFlight(attacks[name] as Attack, false, { factor: name === 'a step-up' }),
  )
  it.each([true, false])(
    'SE-1: everything older is dead at the next request, in another process (own adapter: %s)',
    async (own) => {
      const adapter = plainAdapter(async () => undefined)
      const w = await at.enterTwo({ policy, host: own ? host : { ...host, adapter } })
      const [username, b, waiting] = [someone(), anyone(w), anyone(w)]
      const { id } = await w.add(username)
      const held = [await redeem(w, await password(w, b, username))]
      expect(await alive(w, b, held)).toHaveLength(4)
      const unredeemed = await b.open(w.authorize())
      expect(leaked(unredeemed)).toBe(true)
      await walk(w, waiting, username, 0)
      await w.self.signOut(id)
      for (let twice = 0; twice < 2; twice++) {
        expect(await alive(w, b, held)).toEqual([])
        expect(await redeem(w, unredeemed)).toEqual({})
      }
      await b.open(w.authorize())
      expect(b.page.page).toBe('sign-in')
    },
  )

  it('SE-3: a sign-in and a change within one second are told apart, in both orders', async () => {
    const w = await at.enter({ policy, host })
    const [username, b] = [someone(), anyone(w)]
    const { id } = await w.add(username)
    for (let round = 0; round < 5; round++) {
      const held = [await redeem(w, await password(w, b, username))]
      expect((await alive(w, b, held)).length).toBeGreaterThanOrEqual(3)
      await w.self.signOut(id)
      expect(await alive(w, b, held)).toEqual([])
    }
    expect(leaked(await password(w, b, username))).toBe(true)
    expect(leaked(await silently(w, b))).toBe(true)
  })

  it.each([
    ['the second factor', 1],
    ['the reasons', 1],
    ['the trust gate', 2],
    ['an authenticator', 3],
    ['the last page', 5],
  ] as const)('OI-8: a sign-in that waits at %s while the password changes does not complete', async (what, until) => {
    const w = await at.enterTwo()
    const [username, b] = [someone(), anyone(w)]
    const { id } = await w.add(username)
    let own = ''
    if (what === 'the second factor') own = (await register(w, anyone(w), username)).secret
    await walk(w, b, username, until)
    const step = stepOf(b)
    w.clock.tick(61_000)
    await w.self.signOut(id)
    const before = (await w.account(username)).credentials
    const form =
      what === 'the second factor'
        ? { code: totpCode(own, w.clock.now()) }
        : what === 'an authenticator'
          ? { code: totpCode(b.secret, w.clock.now()) }
          : {}
    const response = await b.submit({ ...form, action: 'continue', step })
    expect(leaked(response)).toBe(false)
    expect(response.status).toBeLessThan(500)
    expect(b.page.page).toBe('sign-in')
    expect((await w.account(username)).credentials).toEqual(before)
    // The same request goes on from the beginning.
    await b.submit({ username, password: passwordOf(username), action: 'continue' })
    expect(b.page.page).toBe(what === 'the second factor' || what === 'the last page' ? 'prove' : 'registration')
    expect(leaked(await b.open(resumeAddress(w, b)))).toBe(false)
  })

  it('OI-8: an answer that waits to be picked up when the password changes is none', async () => {
    const w = await at.enter({ policy })
    const [username, b] = [someone(), anyone(w)]
    const { id } = await w.add(username)
    await b.open(w.authorize())
    const page = b.now as Response
    const answered = await b.request(page.url, {
      form: { step: stepOf(b), username, password: passwordOf(username), action: 'continue' },
    })
    expect(answered.status).toBe(303)
    await w.self.signOut(id)
    await b.open(answered)
    expect(leaked(b.now as Response)).toBe(false)
    expect(b.page.page).toBe('sign-in')
    expect(leaked(await b.submit({ username, password: passwordOf(username), action: 'continue' }))).toBe(true)
  })

  it('SE-9: a disabled account is dead everywhere, without an error page of ours', async () => {
    const w = await at.enterTwo({ host })
    const [username, b, waiting] = [someone(), anyone(w), anyone(w)]
    await w.add(username)
    const registered = await register(w, b, username)
    const held = [await redeem(w, registered.response)]
    await walk(w, waiting, username, 1)
    const account = await w.account(username)
    await w.store.accounts.replace({ ...account, disabled: true, version: account.version + 1 }, account.version)
    expect(await alive(w, b, held)).toEqual([])
    for (const more of [{}, { prompt: 'consent' }, { max_age: '0' }, { id_token_hint: 'none' }] as Record<
      string,
      string
    >[]) {
      const tab = b.clone()
      const response = await tab.open(w.authorize(more))
      expect([more, response.status < 500, leaked(response)]).toEqual([more, true, false])
    }
    w.clock.tick(30_000)
    const code = totpCode(registered.secret, w.clock.now())
    const response = await waiting.submit({ code, action: 'continue' })
    expect([response.status < 500, leaked(response), waiting.page.page]).toEqual([true, false, 'sign-in'])
    expect(leaked(await signIn(w, anyone(w), username, registered.secret))).toBe(false)
  })

  it('SE-6: the session id changes with the sign-in: a planted one is worth nothing', async () => {
    const w = await at.enter({ policy })
    const [username, own] = [someone(), someone()]
    const [thief, victim] = [anyone(w), anyone(w)]
    await w.add(username)
    await w.add(own)
    expect(leaked(await password(w, thief, own))).toBe(true)
    const session = (b: Browser) => b.cookies.filter(({ name }) => name.startsWith('_session'))
    victim.cookies = structuredClone(session(thief))
    expect(session(victim)).toHaveLength(2)
    const signedIn = await password(w, victim, username, { prompt: 'login' })
    expect((await w.exchange(signedIn)).claims).toMatchObject({ sub: (await w.account(username)).id })
    expect(session(victim)[0]?.value).not.toBe(session(thief)[0]?.value)
    // Neither the victim's account nor, any longer, the thief's own.
    expect(errorOf(await silently(w, thief))).toBe('login_required')
  })
})
