// Two processes on one database behind one issuer: every request of a sign-in may meet another one than the last did.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import * as client from 'openid-client'
import { hasMongo, mongo } from '../mongo.ts'
import { drive, type Person, steady } from './person.ts'
import type { Program } from './program.ts'
import { callback, type Site, site } from './site.ts'

/** A relying party of openid-client: code, PKCE, state and nonce. */
async function relyingParty(s: Site) {
  const config = await client.discovery(new URL(s.issuer), s.rp.id, s.rp.secret, undefined, {
    execute: [client.allowInsecureRequests],
  })
  return {
    config,
    async begin() {
      const checks = {
        pkceCodeVerifier: client.randomPKCECodeVerifier(),
        expectedState: client.randomState(),
        expectedNonce: client.randomNonce(),
        idTokenExpected: true,
      }
      const address = client.buildAuthorizationUrl(config, {
        redirect_uri: callback,
        scope: 'openid profile email',
        code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
        code_challenge_method: 'S256',
        state: checks.expectedState,
        nonce: checks.expectedNonce,
      })
      return {
        address: address.href,
        finish: (back: string) => client.authorizationCodeGrant(config, new URL(back), checks),
      }
    },
  }
}

const mfa = { acr: 'urn:oidc-self-service:acr:mfa', amr: ['pwd', 'otp', 'mfa'] }

for (const name of ['SQLite', 'MongoDB']) {
  const suite = name === 'MongoDB' && !hasMongo() ? describe.skip : describe
  suite(`two processes (${name})`, () => {
    let s: Site
    let programs: Program[]
    let drop = async (): Promise<void> => undefined
    beforeAll(async () => {
      const server = name === 'MongoDB' ? await mongo() : undefined
      const database = `two_${randomBytes(6).toString('hex')}`
      if (server) drop = () => server.drop(database)
      s = await site({ store: server?.uri(database) ?? 'sqlite:' })
      // At the same time, on an empty database: one of them makes the keys.
      programs = await Promise.all([s.serve(), s.serve()])
    }, 60_000)
    afterAll(async () => {
      await s?.close()
      await drop()
    })

    it('forced registration and the second sign-in, hopping at every step, with openid-client', async () => {
      const rp = await relyingParty(s)
      await s.add('alice')
      const alice: Person = { username: 'alice', browser: s.browser() }
      const first = await rp.begin()
      // A B B A: each form goes to the one that the form before did not go to, and the page after it comes from the other.
      s.proxy.order = (request) => (request + 1) >> 1
      s.proxy.asked.length = 0
      await steady()
      await alice.browser.open(first.address)
      const seen: string[] = []
      const back = await drive(alice, { site: s, now: steady, codes: [-1] }, seen)
      expect(seen).toEqual([
        'sign-in',
        'registration',
        'prove email',
        'enrol totp',
        'enrol recovery-codes',
        'registered',
      ])
      const forms = s.proxy.asked.filter(({ method }) => method === 'POST').map(({ port }) => port)
      expect(forms).toHaveLength(6)
      expect(forms.every((port, index) => port !== forms[index + 1])).toBe(true)

      const tokens = await first.finish(back ?? '')
      expect(tokens.claims()).toMatchObject({ iss: s.issuer, ...mfa })
      expect(tokens.claims()?.auth_time).toBeGreaterThan(Date.now() / 1000 - 60)
      const user = await client.fetchUserInfo(rp.config, tokens.access_token, tokens.claims()?.sub ?? '')
      expect(user).toMatchObject({ preferred_username: 'alice', email: 'alice@example.org' })
      const fresh = await client.refreshTokenGrant(rp.config, tokens.refresh_token ?? '')
      expect(fresh.claims()?.sub).toBe(tokens.claims()?.sub)

      const again: Person = { ...alice, browser: s.browser() }
      const second = await rp.begin()
      await again.browser.open(second.address)
      // Now the other way round: the page from one, its form to the other.
      s.proxy.order = (request) => request
      const pages: string[] = []
      const returned = await drive(again, { site: s, now: steady, codes: [0] }, pages)
      expect(pages).toEqual(['sign-in', 'prove totp'])
      expect((await second.finish(returned ?? '')).claims()).toMatchObject(mfa)

      // The session is known to both.
      for (const _ of programs) {
        const silent = await rp.begin()
        await again.browser.open(silent.address)
        expect((await silent.finish(again.browser.now?.location ?? '')).claims()).toMatchObject(mfa)
      }
      const signOut = client.buildEndSessionUrl(rp.config, {
        id_token_hint: tokens.id_token ?? '',
        post_logout_redirect_uri: 'http://rp.example/',
      })
      await alice.browser.open(signOut.href)
      expect(alice.browser.page.page).toBe('message')
      const xsrf = /name="xsrf"[^>]*value="([^"]+)"/.exec(alice.browser.now?.html ?? '')?.[1] ?? ''
      await alice.browser.open(
        await alice.browser.request(`${s.issuer}/session/end/confirm`, { form: { xsrf, logout: 'yes' } }),
      )
      expect(alice.browser.now?.location).toMatch(/^http:\/\/rp\.example\//)
      await alice.browser.open((await rp.begin()).address)
      expect(alice.browser.page.page).toBe('sign-in')
      await expect(client.refreshTokenGrant(rp.config, fresh.refresh_token ?? '')).rejects.toThrow()
    }, 60_000)

    it('LG-2: the switch in the file counts in both at once, and is one event with old and new value', async () => {
      const rp = await relyingParty(s)
      await s.add('bob')
      /** The first page after the password, asked of each process. */
      const pages = async (): Promise<string[]> => {
        const found: string[] = []
        for (const _ of programs) {
          const bob: Person = { username: 'bob', browser: s.browser() }
          await bob.browser.open((await rp.begin()).address)
          await bob.browser.submit({ username: 'bob', password: 'correct horse battery', action: 'continue' })
          found.push(bob.browser.now?.location ? 'back' : (bob.browser.page.page ?? ''))
          // The other one is asked first the next time.
          s.proxy.targets.reverse()
        }
        return found
      }
      expect(await pages()).toEqual(['registration', 'registration'])
      await s.configure('registration: { required: false }')
      expect(await pages()).toEqual(['back', 'back'])
      await s.configure('registration: { required: maybe }')
      expect(await pages()).toEqual(['back', 'back'])
      await s.configure('registration: { required: true }')
      expect(await pages()).toEqual(['registration', 'registration'])
      const events = await s.store.audit.query({ kind: 'policy.changed' }, 10)
      expect(events.map(({ detail, actor }) => [actor, detail?.['changes']])).toEqual([
        ['policy', [{ option: 'registration.required', from: true, to: false }]],
        ['policy', [{ option: 'registration.required', from: false, to: true }]],
      ])
      for (const program of programs) expect(program.out()).toContain('registration.required must be true or false')
    }, 60_000)

    it('a mail is sent once, whichever process takes it from the queue', async () => {
      const people = Array.from({ length: 12 }, (_, index) => `many${index}`)
      await Promise.all(people.map((username) => s.add(username)))
      const rp = await relyingParty(s)
      await Promise.all(
        people.map(async (username) => {
          const browser = s.browser()
          await browser.open((await rp.begin()).address)
          await browser.submit({ username, password: 'correct horse battery', action: 'continue' })
          await browser.submit({ action: 'continue' })
          expect(browser.page).toMatchObject({ page: 'prove', method: 'email' })
        }),
      )
      const sent = (): string[] => s.mail.received.flatMap(({ to }) => to).filter((to) => to.startsWith('many'))
      for (let tries = 0; tries < 2000 && sent().length < people.length; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      // Both end in order, and whoever still had a mail has sent it.
      for (const program of programs) expect((await program.stop()).code).toBe(0)
      expect(sent().sort()).toEqual(people.map((username) => `${username}@example.org`).sort())
      expect(await s.store.mails.size()).toBe(0)
    }, 60_000)
  })
}
