// Apache's mod_auth_openidc, which nobody of this project wrote, as the relying party: forced registration, refresh, step-up, sign-out.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { BrowserContext, Page } from 'playwright-core'
import { hasMongo, mongo } from '../mongo.ts'
import { codeAt, mailed, mailedCode, steady } from '../program/person.ts'
import { password, type Site, site } from '../program/site.ts'
import { type Apache, noApache, place, startApache } from './apache.ts'
import { describeInChrome, desktop } from './chrome.ts'
import { press, secretOn, where } from './walk.ts'

const acr = { password: 'urn:oidc-self-service:acr:pwd', multiFactor: 'urn:oidc-self-service:acr:mfa' }

interface Person {
  username: string
  page: Page
  secret?: string
  /** The last step of the app's codes that was used. */
  step?: number
}

const missing = noApache()
if (missing !== undefined && process.env['CI'] === 'true') throw new Error(missing)
if (missing !== undefined) console.warn(`\nTESTS WITH APACHE ARE SKIPPED: ${missing}`)

describeInChrome('Apache as relying party', (chrome) => {
  for (const store of ['SQLite', 'MongoDB']) {
    const suite = missing !== undefined || (store === 'MongoDB' && !hasMongo()) ? describe.skip : describe
    suite(store, () => {
      let s: Site
      let apache: Apache
      let drop = async (): Promise<void> => undefined
      const open: BrowserContext[] = []

      beforeAll(async () => {
        const here = await place()
        const server = store === 'MongoDB' ? await mongo() : undefined
        const database = `apache_${randomBytes(6).toString('hex')}`
        if (server) drop = () => server.drop(database)
        s = await site({
          store: server?.uri(database) ?? 'sqlite:',
          policy: 'registration: { scope: selected, groups: [staff] }\noutgoing: { networks: [127.0.0.1] }',
          more: `  ${here.client}:
    firstParty: true
    metadata:
      client_secret: ${here.secret}
      redirect_uris: [${here.redirectUri}]
      post_logout_redirect_uris: [${here.origin}/bye/]
      backchannel_logout_uri: ${here.redirectUri}?logout=backchannel
      backchannel_logout_session_required: true
      grant_types: [authorization_code, refresh_token]`,
        })
        await s.serve()
        apache = await startApache({ ...here, issuer: s.issuer, acr: acr.multiFactor })
      })
      afterAll(async () => {
        for (const context of open) await context.close()
        await apache?.close()
        await s?.close()
        await drop()
      })

      async function visitor(username: string, secret?: string): Promise<Person> {
        const context = await chrome().newContext(desktop)
        open.push(context)
        return { username, page: await context.newPage(), ...(secret !== undefined && { secret }) }
      }

      /** Does what each page asks for until one of Apache's pages shows. Answers what was met on the way. */
      async function walk(person: Person): Promise<string[]> {
        const { page, username } = person
        const met: string[] = []
        const address = `${username}@example.org`
        while (new URL(page.url()).origin !== apache.origin) {
          const at = await where(page)
          met.push(at)
          if (met.length > 12) throw new Error(`${username} walks in circles: ${met.join(', ')}`)
          if (at === 'sign-in') {
            await page.getByLabel('User name').fill(username)
            await page.getByLabel('Password').fill(password)
          } else if (at === 'password') {
            await page.getByLabel('Password').fill(password)
          } else if (at === 'prove:email') {
            await page.locator('#code').fill(await mailedCode(s.mail, address, mailed(s.mail, address).length || 1))
          } else if (at.endsWith(':totp')) {
            if (at.startsWith('enrol')) person.secret = await secretOn(page)
            await page
              .locator('#code')
              .fill(codeAt(person.secret ?? '', await steady(), (person.step = (person.step ?? -2) + 1)))
          } else if (at === 'enrol:recovery-codes') {
            await page.locator('#acknowledged').check()
          }
          await press(page)
        }
        return met
      }

      /** What Apache was told, as its page shows it. */
      async function told(page: Page, name: string): Promise<Record<string, string>> {
        expect(await where(page)).toBe(`apache-${name}`)
        const shown = await page
          .locator('[data-claim]')
          .evaluateAll((all: HTMLElement[]) => all.map((one) => [one.dataset['claim'], one.textContent]))
        return Object.fromEntries(shown)
      }

      let alice: Person

      it('EN-3: a stranger who opens a protected page registers first, and is then known to it', async () => {
        const account = await s.add('alice', { groups: ['staff'] })
        alice = await visitor('alice')
        await alice.page.goto(`${apache.origin}/desk/`)
        expect(await walk(alice)).toEqual([
          'sign-in',
          'registration',
          'prove:email',
          'enrol:totp',
          'enrol:recovery-codes',
          'registered',
        ])
        expect(await told(alice.page, 'desk')).toMatchObject({
          REMOTE_USER: account.id,
          OIDC_CLAIM_acr: acr.multiFactor,
          OIDC_CLAIM_amr: 'pwd,otp,mfa',
          OIDC_CLAIM_email: 'alice@example.org',
        })
        // What is kept for a multi-factor sign-in is open to her, and no page of ours comes between.
        await alice.page.goto(`${apache.origin}/vault/`)
        await told(alice.page, 'vault')
      })

      it('EN-13: what a refresh brings says no more than the sign-in', async () => {
        const before = await told(alice.page, 'vault')
        await alice.page.goto(`${apache.origin}/fresh/`)
        const after = await told(alice.page, 'fresh')
        expect(after['OIDC_access_token']).toMatch(/^\S{20,}$/)
        expect(after['OIDC_access_token']).not.toBe(before['OIDC_access_token'])
        expect({ ...after, OIDC_access_token: '' }).toEqual({ ...before, OIDC_access_token: '' })
      })

      it('signs out at both, by the logout of the module', async () => {
        const back = encodeURIComponent(`${apache.origin}/bye/`)
        await alice.page.goto(`${apache.redirectUri}?logout=${back}`)
        expect(new URL(alice.page.url()).origin).toBe(s.issuer)
        await Promise.all([
          alice.page.waitForURL((url) => url.origin === apache.origin),
          alice.page.getByRole('button', { name: 'Sign out' }).click(),
        ])
        expect((await told(alice.page, 'bye'))['REMOTE_USER']).toBe('(none)')
        await alice.page.goto(`${apache.origin}/desk/`)
        expect(await where(alice.page)).toBe('sign-in')
        expect(await walk(alice)).toEqual(['sign-in', 'prove:totp'])
        await told(alice.page, 'desk')
      })

      /** The module refuses with a page that leads on to the provider by itself. */
      async function stepUp({ page }: Person): Promise<void> {
        await page.goto(`${apache.origin}/vault/`)
        await page.waitForURL((url) => url.origin === s.issuer)
      }

      let bob: Person
      let elsewhere: Person

      it('EN-13: what a password opens is open to a guest, and says no more than that', async () => {
        await s.add('bob')
        bob = await visitor('bob')
        elsewhere = await visitor('bob')
        for (const one of [bob, elsewhere]) {
          await one.page.goto(`${apache.origin}/desk/`)
          expect(await walk(one)).toEqual(['sign-in'])
          expect(await told(one.page, 'desk')).toMatchObject({ OIDC_CLAIM_acr: acr.password, OIDC_CLAIM_amr: 'pwd' })
        }
      })

      it('OI-4: a step-up that is cancelled ends at the module, not in a loop', async () => {
        await stepUp(bob)
        await press(bob.page, 'cancel')
        expect(bob.page.url()).toContain(`${apache.redirectUri}?error=access_denied`)
        await bob.page.goto(`${apache.origin}/desk/`)
        expect((await told(bob.page, 'desk'))['OIDC_CLAIM_acr']).toBe(acr.password)
      })

      it('OI-4: step-up of who has no second factor: registers one, and is let in', async () => {
        await stepUp(bob)
        // The password once more: whoever only has the session adds no factor to the account (EN-2).
        expect(await walk(bob)).toEqual([
          'password',
          'registration',
          'prove:email',
          'enrol:totp',
          'enrol:recovery-codes',
          'registered',
        ])
        expect(await told(bob.page, 'vault')).toMatchObject({
          OIDC_CLAIM_acr: acr.multiFactor,
          OIDC_CLAIM_amr: 'pwd,otp,mfa',
        })
      })

      it('OI-4: step-up of who has one: proves only that, and auth_time stays', async () => {
        const { OIDC_CLAIM_auth_time: since } = await told(elsewhere.page, 'desk')
        await stepUp(elsewhere)
        Object.assign(elsewhere, { secret: bob.secret, step: bob.step })
        expect(await walk(elsewhere)).toEqual(['prove:totp'])
        expect(await told(elsewhere.page, 'vault')).toMatchObject({
          OIDC_CLAIM_acr: acr.multiFactor,
          OIDC_CLAIM_amr: 'pwd,otp,mfa',
          OIDC_CLAIM_auth_time: since,
        })
      })

      it('SE-5: hears by back-channel logout of a sign-out at the provider, for that session alone', async () => {
        const { page } = elsewhere
        await page.goto(`${s.issuer}/session/end`)
        await page.getByRole('button', { name: 'Sign out' }).click()
        await page.waitForURL((url) => url.pathname === '/session/end/success')
        // Told by the provider, which does not keep the browser waiting for it.
        for (let tries = 0; tries < 100; tries++) {
          await page.goto(`${apache.origin}/desk/`)
          if (new URL(page.url()).origin === s.issuer) break
        }
        expect(await where(page)).toBe('sign-in')
        await bob.page.goto(`${apache.origin}/desk/`)
        await told(bob.page, 'desk')
      })
    })
  }
})
