// One door to a new password: the same verdict by reset, change, forced change and activation.
import { expect, it } from '@jest/globals'
import type { Browser } from '../browser.ts'
import { at } from '../journeys/steps.ts'
import { byMail, choose, enter, forgot, gates, named, owner } from '../journeys/owner.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, type World } from '../world.ts'
import { anyone, arena, mailedCode, someone, submitForMail } from './attacker.ts'

const policy = {
  ...defaultPolicy,
  registration: { ...defaultPolicy.registration, required: false },
  password: { banned: ['contoso'] },
}

/** By each path to the page that asks for the new password. */
const paths: Record<string, [least: 8 | 15, walk: (w: World, b: Browser, username: string) => Promise<unknown>]> = {
  reset: [8, async (w, b, username) => gates(w, b, await owner(w, username))],
  change: [
    8,
    async (w, b, username) => {
      await enter(w, b, await owner(w, username))
      await b.open(`${w.issuer}/change-password`)
      await b.submit({ password: passwordOf(username), action: 'continue' })
    },
  ],
  forced: [
    8,
    async (w, b, username) => {
      const who = await owner(w, username)
      await flag(w, username)
      await enter(w, b, who)
    },
  ],
  'forced, without a factor': [
    15,
    async (w, b, username) => {
      await w.add(username)
      await flag(w, username)
      await b.open(w.authorize())
      await submitForMail(w, b, { username, password: passwordOf(username), action: 'continue' })
      await b.submit({ code: await mailedCode(w, b, username), action: 'continue' })
    },
  ],
  activation: [
    15,
    async (w, b, username) => {
      const account = await w.add(username, { activation: { until: w.clock.now() + 86_400_000 } })
      const { password: _none, ...bare } = account
      await w.store.accounts.replace({ ...bare, version: account.version + 1 }, account.version)
      await forgot(w, b)
      await named(b, username)
      await byMail(w, b, { username })
    },
  ],
}

async function flag(w: World, username: string): Promise<void> {
  const account = await w.account(username)
  if (!account.password) throw new Error('no password')
  const password = { ...account.password, mustChange: 'flagged' as const }
  await w.store.accounts.replace({ ...account, password, version: account.version + 1 }, account.version)
}

const tried = (username: string, least: 8 | 15): [password: string, verdict: string][] => [
  ['', 'new_password_missing'],
  ['kq3vz8w', 'password_too_short'],
  ...(least === 15
    ? ([
        ['kq3vz8wm', 'password_too_short'],
        ['kq3vz8wmt4xh9p', 'password_too_short'],
      ] as [string, string][])
    : []),
  ['🦦'.repeat(least - 1), 'password_too_short'],
  ['k'.repeat(5000), 'password_too_long'],
  ['kq3vz8wmt4xh9p'.repeat(19), 'password_too_long'],
  ...(least === 8
    ? ([
        ['Password123', 'password_common'],
        ['PASSWORD123', 'password_common'],
      ] as [string, string][])
    : []),
  [username, 'password_personal'],
  [`${username}2026`, 'password_personal'],
  [Array.from(username).toReversed().join(''), 'password_personal'],
  ...(least === 8
    ? ([
        ['example1234', 'password_personal'],
        ['c0ntoso!!', 'password_banned'],
      ] as [string, string][])
    : []),
]

eachStore('PW-1, PW-4, PW-5, PW-6: new passwords', (database) => {
  const here = arena(database)

  for (const [path, [least, walk]] of Object.entries(paths)) {
    it(`PW-1, PW-5, PW-6, RS-19: ${path}: at least ${least}, and the same rules`, async () => {
      const w = await here.enter({ policy })
      const [username, b] = [`${someone()}-long`, anyone(w)]
      await walk(w, b, username)
      expect(at(b)).toBe('new-password')
      for (const [password, verdict] of tried(username, least)) {
        await choose(b, password)
        expect([path, password.slice(0, 40), at(b)]).toEqual([path, password.slice(0, 40), `new-password !${verdict}`])
      }
      await choose(b, 'lamp otter quiet', 'lamp otter quieT')
      expect(at(b)).toBe('new-password !password_mismatch')
      if (path !== 'activation') {
        await choose(b, passwordOf(username))
        expect(at(b)).toBe('new-password !password_same')
      }
      // PW-4: lower case and spaces are enough, a listed word inside does not matter.
      await choose(b, 'a password lamp')
      expect(at(b)).not.toMatch(/^new-password/)
      expect((await w.account(username)).password?.mustChange).toBeUndefined()
    })
  }
})
