// Every grant and feature that a host may switch on, walked: nothing before registration, truthful claims, dead with the epoch.
import { expect, it } from '@jest/globals'
import type { Configuration } from 'oidc-provider'
import type { Account } from '../../src/domain/types.ts'
import { acr } from '../../src/flows/finish.ts'
import { anyone, arena, back, leaked, parallel, silently, someone } from '../attacks/attacker.ts'
import type { Browser } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, register, RP, type Tokens, type World } from '../world.ts'
import { at, password } from './steps.ts'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const voluntary = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }
const offline: Configuration = { issueRefreshToken: async () => true, expiresWithSession: async () => false }

const payload = (token: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString())

const refreshed = (w: World, token: unknown) =>
  back(w, '/token', { grant_type: 'refresh_token', refresh_token: String(token) })

const userinfo = (w: World, token: unknown, headers: Record<string, string> = {}) =>
  fetch(`${w.issuer}/me`, { headers: { authorization: `Bearer ${String(token)}`, ...headers } })

const change = async (w: World, username: string, how: (account: Account) => Partial<Account>): Promise<void> => {
  const account = await w.account(username)
  const next = { ...account, ...how(account), version: account.version + 1 }
  if (!(await w.store.accounts.replace(next, account.version))) throw new Error('somebody else changed the account')
}
const raised = ({ epoch }: Account) => ({ epoch: epoch + 1 })
const disabled = () => ({ disabled: true })

async function television(w: World) {
  const started = await back(w, '/device/auth', { client_id: 'rp', scope: 'openid' })
  const code = String(started['user_code'])
  return {
    poll: () => back(w, '/token', { grant_type: DEVICE, device_code: String(started['device_code']) }),
    async connect(b: Browser): Promise<void> {
      const page = await b.open(`${w.issuer}/device?user_code=${code}`)
      const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.html)?.[1] ?? ''
      await b.open(await b.request(`${w.issuer}/device`, { form: { xsrf, user_code: code, confirm: 'yes' } }))
    },
  }
}

eachStore('grants', (database) => {
  const arenaOf = arena(database)

  it('EN-13, OI-5: refreshed tokens say what was proven at their sign-in, never more and never later', async () => {
    const w = await arenaOf.enter({ policy: voluntary, host: offline })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    const weak = await w.exchange(await password(w, b, username))
    expect(weak.claims).toMatchObject({ acr: acr.password, amr: ['pwd'] })
    // Meanwhile the account gets a second factor, and shows it in another browser.
    w.clock.tick(61_000)
    w.policy.registration = { ...w.policy.registration, required: true }
    const { response } = await register(w, anyone(w), username)
    const strong = await w.exchange(response)
    w.clock.tick(61_000)
    for (const tokens of [weak, strong]) {
      const { acr, amr, auth_time, sid } = tokens.claims
      const again = await refreshed(w, tokens.refresh_token)
      expect(payload(again['id_token'])).toMatchObject({ acr, amr, auth_time, ...(sid !== undefined && { sid }) })
    }
    expect(strong.claims).toMatchObject({ acr: acr.multiFactor, amr: ['pwd', 'otp', 'mfa'] })
  })

  it.each([
    ['the password changes', raised],
    ['the account is disabled', disabled],
  ])('SE-1, SE-9: when %s, a refresh token is invalid_grant, and stays so', async (_what, how) => {
    const w = await arenaOf.enterTwo({ policy: voluntary, host: offline })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    const { refresh_token, access_token } = await w.exchange(await password(w, b, username))
    expect((await refreshed(w, refresh_token)).status).toBe(200)
    await change(w, username, how)
    for (let twice = 0; twice < 2; twice++) {
      const answer = await refreshed(w, refresh_token)
      expect([answer.status, answer['error']]).toEqual([400, 'invalid_grant'])
      expect((await userinfo(w, access_token)).status).toBe(401)
    }
    await change(w, username, () => ({ disabled: false }))
    if (how === raised) expect((await refreshed(w, refresh_token)).status).toBe(400)
  })

  it('EN-13: a device gets the acr and amr of the sign-in behind it, and an unchanged auth_time by refresh', async () => {
    const w = await arenaOf.enter({ policy: voluntary, host: offline })
    const [weak, strong] = [someone(), someone()]
    const phone = { weak: anyone(w), strong: anyone(w) }
    await w.add(weak)
    await w.add(strong)
    await password(w, phone.weak, weak)
    w.policy.registration = { ...w.policy.registration, required: true }
    const { response } = await register(w, phone.strong, strong)
    const { auth_time } = (await w.exchange(response)).claims
    w.policy.registration = { ...w.policy.registration, required: false }
    for (const [b, claims] of [
      [phone.weak, { acr: acr.password, amr: ['pwd'] }],
      [phone.strong, { acr: acr.multiFactor, amr: ['pwd', 'otp', 'mfa'], auth_time }],
    ] as const) {
      const tv = await television(w)
      await tv.connect(b)
      const tokens = await tv.poll()
      expect(payload(tokens['id_token'])).toMatchObject(claims)
      expect(payload((await refreshed(w, tokens['refresh_token']))['id_token'])).toMatchObject(claims)
    }
  })

  it('OI-5: one device code, fifty polls at once in two processes: one wins, 49 invalid_grant, no 500', async () => {
    const w = await arenaOf.enterTwo({ policy: voluntary })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await password(w, b, username)
    const tv = await television(w)
    await tv.connect(b)
    const answers = await parallel(50, () => tv.poll())
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    const losers = answers.filter(({ status }) => status !== 200)
    expect(new Set(losers.map(({ status, error }) => `${status} ${String(error)}`))).toEqual(
      new Set(['400 invalid_grant']),
    )
    // A code that comes again ends what it was turned into (RFC 6749 4.1.2; for a device alike).
    expect((await tv.poll())['error']).toBe('invalid_grant')
    expect((await userinfo(w, answers.find(({ status }) => status === 200)?.['access_token'])).status).toBe(401)
  })

  it.each([
    ['the password changes', raised],
    ['the account is disabled', disabled],
  ])('SE-1, SE-9: when %s between approval and poll, the device gets nothing', async (_what, how) => {
    const w = await arenaOf.enterTwo({ policy: voluntary })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await password(w, b, username)
    const tv = await television(w)
    await tv.connect(b)
    await change(w, username, how)
    for (let twice = 0; twice < 2; twice++) {
      const answer = await tv.poll()
      expect([answer.status, answer['error']]).toEqual([400, 'invalid_grant'])
    }
  })

  it('client credentials: a token that speaks for no account, and reaches nothing of one', async () => {
    const machine = { client_id: 'machine', client_secret: 'machine-secret', redirect_uris: [], response_types: [] }
    const w = await arenaOf.enter({
      policy: voluntary,
      host: { features: { clientCredentials: { enabled: true } } },
      clients: [{ ...machine, grant_types: ['client_credentials'] }],
    })
    const basic = { authorization: `Basic ${Buffer.from('machine:machine-secret').toString('base64')}` }
    const post = async (path: string, form: Record<string, string>) => {
      const answer = await fetch(w.issuer + path, { method: 'POST', headers: basic, body: new URLSearchParams(form) })
      return { ...((await answer.json()) as Record<string, unknown>), status: answer.status }
    }
    const token = await post('/token', { grant_type: 'client_credentials', scope: 'openid profile' })
    expect(token.status).toBe(200)
    expect(Object.keys(token)).toEqual(expect.not.arrayContaining(['id_token', 'refresh_token']))
    const { access_token } = token as Tokens
    expect((await userinfo(w, access_token)).status).toBe(401)
    const told = await post('/token/introspection', { token: String(access_token) })
    expect(told).toMatchObject({ active: true, client_id: 'machine' })
    for (const claim of ['sub', 'acr', 'amr', 'auth_time', 'sid']) expect(told).not.toHaveProperty(claim)
  })

  it('OI-1, EN-3: an ID token in the answer, where a host wants it, waits for registration and is as truthful', async () => {
    const hybrid = ['code id_token', 'id_token'] as const
    const host: Configuration = { responseTypes: ['code', ...hybrid] }
    const clients = [
      {
        client_id: 'rp',
        client_secret: 'rp-secret',
        redirect_uris: [`${RP.replace('http:', 'https:')}/cb`],
        grant_types: ['authorization_code', 'implicit'],
        response_types: ['code' as const, ...hybrid],
      },
    ]
    const w = await arenaOf.enter({ policy: voluntary, host, clients })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    const more = { redirect_uri: `${RP.replace('http:', 'https:')}/cb` }
    await password(w, b, username, more)
    w.policy.registration = { ...w.policy.registration, required: true }
    for (const response_type of hybrid) {
      const refused = await silently(w, b, { ...more, response_type })
      expect([response_type, leaked(refused)]).toEqual([response_type, false])
      expect(refused.location).toContain('error=interaction_required')
    }
    w.policy.registration = { ...w.policy.registration, required: false }
    for (const response_type of hybrid) {
      const answered = await silently(w, b, { ...more, response_type })
      const token = new URLSearchParams(new URL(answered.location ?? '').hash.slice(1)).get('id_token')
      expect(payload(token)).toMatchObject({ acr: acr.password, amr: ['pwd'], auth_time: expect.any(Number) })
    }
  })

  it('SE-1: what is signed for a request (userinfo, introspection) is asked of the epoch each time', async () => {
    const signed = { userinfo_signed_response_alg: 'RS256', introspection_signed_response_alg: 'RS256' } as const
    const w = await arenaOf.enter({
      policy: voluntary,
      host: { features: { jwtUserinfo: { enabled: true }, jwtIntrospection: { enabled: true } } },
      clients: [{ client_id: 'rp', client_secret: 'rp-secret', redirect_uris: [`${RP}/cb`], ...signed }],
    })
    const [username, b] = [someone(), anyone(w)]
    const { id } = await w.add(username)
    const { access_token } = await w.exchange(await password(w, b, username))
    const read = async (): Promise<unknown> => payload(await (await userinfo(w, access_token)).text())
    expect(await read()).toMatchObject({ sub: id })
    const introspect = () => back(w, '/token/introspection', { token: String(access_token) })
    expect((await introspect())['active']).toBe(true)
    await change(w, username, raised)
    expect((await userinfo(w, access_token)).status).toBe(401)
    expect(await introspect()).toEqual({ status: 200, active: false })
  })

  it('a relying party that registered itself, with a token of yours, is a stranger: consent, and no prompt of ours', async () => {
    const initialAccessToken = 'an-initial-access-token-that-the-host-keeps'
    const w = await arenaOf.enter({
      policy: { ...voluntary, clients: { rp: { prompts: ['change_password'] } } },
      host: { features: { registration: { enabled: true, initialAccessToken } } },
      options: { firstParty: (id) => id === 'rp' },
    })
    const metadata = { redirect_uris: ['https://new.example/cb'], client_name: 'New' }
    const ask = async (token: string, more: object) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const body = JSON.stringify({ ...metadata, ...more })
      const answer = await fetch(`${w.issuer}/reg`, { method: 'POST', headers, body })
      return { ...((await answer.json()) as Record<string, unknown>), status: answer.status }
    }
    expect((await ask('guessed', {})).status).toBe(401)
    for (const more of [{ client_id: 'self-service' }, { client_id: 'rp', firstParty: true }]) {
      const made = await ask(initialAccessToken, more)
      expect([made.status, (made as Record<string, unknown>)['error_description']]).toEqual([201, undefined])
      const client_id = String((made as Record<string, unknown>)['client_id'])
      expect(['self-service', 'rp']).not.toContain(client_id)
      const [username, b] = [someone(), anyone(w)]
      await w.add(username)
      const mine = { client_id, redirect_uri: 'https://new.example/cb' }
      const asked = await b.open(w.authorize({ ...mine, prompt: 'change_password' }))
      expect(asked.location).toContain('error=invalid_request')
      await b.open(w.authorize(mine))
      await b.submit({ username, password: passwordOf(username), action: 'continue' })
      expect(at(b)).toBe('consent')
    }
  })
})
