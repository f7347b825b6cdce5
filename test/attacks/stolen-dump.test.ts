// The attacker has a full copy of the database, taken in the middle of everything, and perhaps may write to it.
// Nothing in it opens a session, passes a gate or proves a factor; what was moved or changed is refused and never means "none".
import { createHash, randomBytes } from 'node:crypto'
import { expect, it } from '@jest/globals'
import type { Account, Credential } from '../../src/domain/types.ts'
import { selfService } from '../../src/plugin.ts'
import { totpCode } from '../authenticator.ts'
import type { Response } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, register, rootKeys, signIn, verifier, type World } from '../world.ts'
import { anyone, arena, back, leaked, mailedCode, someone, walk } from './attacker.ts'

const hash = (algorithm: string, value: string, form: 'hex' | 'base64' | 'base64url'): string =>
  createHash(algorithm).update(value).digest(form)

/** Everything that a thief might find it as, without a key. */
function disguises(value: string): string[] {
  const bytes = Buffer.from(value)
  const plain = [value, value.toLowerCase(), value.toUpperCase(), value.replace(/[\s-]/g, '')]
  return [
    ...plain,
    encodeURIComponent(value),
    bytes.toString('base64'),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    ...['md5', 'sha1', 'sha256', 'sha512'].flatMap((algorithm) =>
      plain.flatMap((text) => (['hex', 'base64', 'base64url'] as const).map((form) => hash(algorithm, text, form))),
    ),
  ]
}

const base32Bytes = (text: string): Buffer => {
  const bits = Array.from(text, (letter) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
  )
  return Buffer.from((bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}

const edit = async (w: World, username: string, change: (account: Account) => Account): Promise<void> => {
  const account = await w.account(username)
  await w.store.accounts.replace({ ...change(account), version: account.version + 1 }, account.version)
}

const sealedIn = (credential: Credential | undefined): string =>
  (credential?.data as { sealed?: string } | undefined)?.sealed ?? ''

eachStore('SC-1: the stolen dump', (database) => {
  const at = arena(database)

  it('SC-1, TO-7, OC-7: a full dump, taken at every step, holds nothing that can be used or guessed', async () => {
    const w = await at.enter({ host: { issueRefreshToken: async () => true } })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    /** Random enough that finding a hash of it would be no chance. */
    const secrets = new Map<string, string>()
    /** So short that a bare hash of it could be found by trying all of them: looked for hashed, not bare. */
    const short = new Map<string, string>()
    let dumps = ''
    const took = async (): Promise<void> => {
      for (const { name, value, path } of b.cookies) {
        if (name.endsWith('.sig')) secrets.set(`signature ${name} ${path}`, value)
        else if (name.startsWith('_')) secrets.set(`cookie ${name} ${path} ${value.slice(0, 4)}`, value)
        else if (name.startsWith('known-'))
          secrets.set('signature of the known browser', value.split('.').slice(1).join('.'))
      }
      const uid = /\/interaction\/([\w-]+)/.exec(b.now?.url ?? '')?.[1]
      if (uid) secrets.set('interaction', uid)
      dumps += await at.dump()
    }
    await walk(w, b, username, 0)
    await took()
    await b.submit({ username, password: passwordOf(username), action: 'continue' })
    await took()
    await walk(w, b, username, 2)
    await took()
    short.set('mailed code', await mailedCode(w, b, username))
    await took()
    await b.submit({ code: String(short.get('mailed code')), action: 'continue' })
    const { secret } = b
    await took()
    short.set('authenticator code', totpCode(secret, w.clock.now()))
    await b.submit({ code: String(short.get('authenticator code')), action: 'continue' })
    const { recoveryCodes } = b
    expect(recoveryCodes).toHaveLength(10)
    await took()
    await b.submit({ acknowledged: 'yes', action: 'continue' })
    await took()
    const response = await b.submit({ action: 'continue' })
    await took()
    const code = new URL(response.location ?? '').searchParams.get('code') ?? ''
    const tokens = await back(w, '/token', {
      grant_type: 'authorization_code',
      code,
      redirect_uri: 'http://rp.example/cb',
      code_verifier: verifier,
    })
    await took()
    const device = await back(w, '/device/auth', { client_id: 'rp', scope: 'openid' })
    const pushed = await back(w, '/request', Object.fromEntries(new URL(w.authorize()).searchParams))
    await took()
    secrets.set('password', passwordOf(username))
    secrets.set('authenticator secret', secret)
    secrets.set('authenticator secret, raw', base32Bytes(secret).toString('latin1'))
    for (const [index, one] of recoveryCodes.entries()) secrets.set(`recovery code ${index}`, one)
    secrets.set('authorization code', code)
    secrets.set('access token', String(tokens['access_token']))
    secrets.set('refresh token', String(tokens['refresh_token']))
    secrets.set('device code', String(device['device_code']))
    secrets.set('user code', String(device['user_code']))
    secrets.set('pushed request', String(pushed['request_uri']).replace(/^.*:/, ''))
    for (const [index, key] of rootKeys.entries()) secrets.set(`root key ${index}`, key.toString('base64'))
    secrets.set('cookie key', w.self.keys.cookies[0])
    secrets.set('seal key', w.self.keys.seal[0].key.toString('base64url'))
    secrets.set('digest key', w.self.keys.digest[0].key.toString('base64url'))
    secrets.set('signing key', String(w.self.keys.jwks.keys[0]?.d))

    expect(dumps.length).toBeGreaterThan(10_000)
    expect(dumps).toContain(username)
    const low = /^(cookie|authorization|access|refresh|device|pushed|interaction)/
    const found: string[] = []
    for (const [name, value] of secrets) {
      expect([name, value.length > 7]).toEqual([name, true])
      // 128 random bits and more may stand hashed: nobody finds them from the hash, and the hash is no use itself.
      const looked = low.test(name) ? disguises(value).slice(0, 9) : disguises(value)
      if (looked.some((one) => dumps.includes(one))) found.push(name)
    }
    for (const [name, value] of short) {
      for (const one of disguises(value).slice(9)) if (dumps.includes(one)) found.push(name)
      if (new RegExp(`(?<![\\d.])${value}(?!\\d)`).test(dumps)) found.push(`${name}, bare`)
    }
    expect(found).toEqual([])
    // Eight digits, tried against every field without a key: no SHA-256 of code, account and the like stands there.
    const { id } = await w.account(username)
    const mailed = String(short.get('mailed code'))
    for (const text of [
      `${id}${mailed}`,
      `${mailed}${id}`,
      `${id}:${mailed}`,
      `${username}${mailed}`,
      `${username}:${mailed}`,
    ]) {
      for (const form of ['hex', 'base64', 'base64url'] as const)
        expect(dumps).not.toContain(hash('sha256', text, form))
    }
    expect(tokens.status).toBe(200)
  })

  it('SC-1: every string of a dump, tried as a cookie and as a token, opens nothing', async () => {
    const w = await at.enter({ host: { issueRefreshToken: async () => true } })
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    const { response } = await register(w, b, username)
    await w.exchange(response)
    await b.open(w.authorize({ prompt: 'login' }))
    const here = b.now as Response
    const dump = await at.dump()
    const strings = [...new Set(dump.match(/[\w-]{20,64}/g))].filter((one) => !one.includes('password')).slice(-150)
    expect(strings.length).toBeGreaterThan(40)
    for (const value of strings) {
      const userinfo = await fetch(`${w.issuer}/me`, { headers: { authorization: `Bearer ${value}` } })
      expect([value, userinfo.status]).toEqual([value, 401])
      const thief = anyone(w)
      thief.cookies = [
        { name: '_session', value, path: '/', host: 'localhost' },
        { name: '_interaction', value, path: new URL(here.url).pathname, host: 'localhost' },
      ]
      const silent = await thief.request(w.authorize({ prompt: 'none' }))
      expect([value, leaked(silent)]).toEqual([value, false])
      expect([value, (await thief.request(here.url)).status]).toEqual([value, 400])
    }
    for (const value of strings.slice(0, 20)) {
      for (const form of [
        {
          grant_type: 'authorization_code',
          code: value,
          redirect_uri: 'http://rp.example/cb',
          code_verifier: verifier,
        },
        { grant_type: 'refresh_token', refresh_token: value },
        { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: value },
      ] as Record<string, string>[]) {
        expect((await back(w, '/token', form)).status).toBe(400)
      }
    }
  })

  it('TO-7, EN-5: an authenticator copied from another account does not open: 503, no code, nothing to enrol', async () => {
    const w = await at.enter({ options: { log: { info: () => 0, warn: () => 0, error: () => 0 } } })
    const [thief, victim] = [someone(), someone()]
    await w.add(thief)
    await w.add(victim)
    const mine = await register(w, anyone(w), thief)
    const theirs = await register(w, anyone(w), victim)
    const own = (await w.account(thief)).credentials
    const before = await w.account(victim)
    await edit(w, victim, (account) => ({ ...account, credentials: own }))
    for (const secret of [mine.secret, theirs.secret]) {
      const b = anyone(w)
      const response = await signIn(w, b, victim, secret)
      expect([response.status, leaked(response), b.page]).toEqual([
        503,
        false,
        { page: 'error', problem: 'unavailable' },
      ])
      expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
      expect(response.html).not.toMatch(/data-secret|data-recovery-code/)
    }
    // The same for a value of another field, one flipped bit, a cut one, another version, an unknown key.
    const sealed = sealedIn(own.find(({ method }) => method === 'totp'))
    const right = before.credentials.find(({ method }) => method === 'totp')
    const real = sealedIn(right)
    const flip = (text: string): string => `${text.slice(0, -2)}${text.at(-2) === 'A' ? 'B' : 'A'}${text.slice(-1)}`
    for (const bad of [
      sealed,
      flip(real),
      real.slice(0, -4),
      real.replace('v1.', 'v0.'),
      real.replace(/^v1\.[^.]+/, 'v1.none'),
      '',
      'x',
    ]) {
      await edit(w, victim, (account) => ({
        ...account,
        credentials: before.credentials.map((one) =>
          one === right ? { ...one, data: { sealed: bad, lastStep: 0 } } : one,
        ),
      }))
      const response = await signIn(w, anyone(w), victim, theirs.secret)
      expect([bad, response.status, leaked(response)]).toEqual([bad, 503, false])
    }
    await edit(w, victim, (account) => ({ ...account, credentials: before.credentials }))
    expect(leaked(await signIn(w, anyone(w), victim, theirs.secret))).toBe(true)
  })

  it('RC-2, EN-5: recovery codes and a password hash copied from another account open nothing', async () => {
    const w = await at.enter({ options: { log: { info: () => 0, warn: () => 0, error: () => 0 } } })
    const [thief, victim] = [someone(), someone()]
    await w.add(thief)
    await w.add(victim)
    const mine = await register(w, anyone(w), thief)
    await register(w, anyone(w), victim)
    const own = await w.account(thief)
    const before = await w.account(victim)
    const codes = own.credentials.find(({ method }) => method === 'recovery-codes')
    await edit(w, victim, (account) => ({
      ...account,
      credentials: account.credentials.map((one) =>
        one.method === 'recovery-codes' && codes ? { ...one, data: codes.data } : one,
      ),
    }))
    const b = anyone(w)
    await walk(w, b, victim, 1)
    await b.submit({ method: 'recovery-codes' })
    const response = await b.submit({ code: String(mine.recoveryCodes[0]), action: 'continue' })
    expect([response.status < 500, leaked(response)]).toEqual([true, false])
    expect((await w.account(victim)).version).toBeGreaterThan(before.version)
  })

  it('SC-1: rows of the provider moved to another id or model do not open', async () => {
    const w = await at.enter({ options: { log: { info: () => 0, warn: () => 0, error: () => 0 } } })
    const [username, b, thief] = [someone(), anyone(w), anyone(w)]
    await w.add(username)
    await register(w, b, username)
    await w.add(`${username}2`)
    await register(w, thief, `${username}2`)
    const id = (browser: typeof b): string =>
      createHash('sha256')
        .update(browser.cookies.find(({ name }) => name === '_session')?.value ?? '')
        .digest('base64url')
    const row = await w.store.rows.find('Session', id(b))
    const other = await w.store.rows.find('Session', id(thief))
    expect([row?.accountId, other?.accountId].filter((one) => one === undefined)).toEqual([])
    if (!row) throw new Error('no session row')
    await w.store.rows.upsert('Session', id(thief), { ...row, uid: 'moved' }, row.expiresAt)
    const response = await thief.request(w.authorize({ prompt: 'none' }))
    expect(leaked(response)).toBe(false)
    expect([303, 503]).toContain(response.status)
  })

  it('OP-1: with other root keys nothing starts, and nothing in the store changes', async () => {
    const w = await at.enter()
    const before = await w.store.claims.find('data-keys')
    const issuer = 'http://localhost:1'
    const start = (keys: Buffer[]) =>
      selfService({ issuer, store: at.store(), keys, mailer: w.outbox, policy: structuredClone(defaultPolicy) })
    await expect(start([randomBytes(32)])).rejects.toThrow(/SELF_SERVICE_KEYS does not hold the key/)
    await expect(start([])).rejects.toThrow(/SELF_SERVICE_KEYS/)
    expect(await w.store.claims.find('data-keys')).toBe(before)
    const right = await start([...rootKeys])
    await right.close()
    expect(await w.store.claims.find('data-keys')).toBe(before)
  })
})
