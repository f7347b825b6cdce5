// "Not now": a deadline, a number of skips, quiet days; who is in scope; who has no grace; and the trust gates.
import { afterEach, describe, expect, it } from '@jest/globals'
import type { Policy } from '../../src/domain/policy.ts'
import type { Account } from '../../src/domain/types.ts'
import type { SelfServiceOptions } from '../../src/plugin.ts'
import { totpCode } from '../authenticator.ts'
import { hidden } from '../browser.ts'
import { type Database, eachStore } from '../stores.ts'
import { defaultPolicy, register, type World, world } from '../world.ts'
import { at, password, registered, returned } from './steps.ts'

const DAY = 86_400_000

eachStore('grace and scope', (database) => {
  let shared: Database
  let w: World
  afterEach(() => w.close())

  async function policy(
    registration: Partial<Policy['registration']>,
    options: Partial<SelfServiceOptions> = {},
  ): Promise<World> {
    shared ??= await database()
    const set = { ...defaultPolicy, registration: { ...defaultPolicy.registration, ...registration } }
    w = await world({ store: await shared.open(), policy: set, options })
    return w
  }
  const skips = (count: number, snoozeDays = 0) => ({ grace: { skips: count, snoozeDays } })
  const stopped = async (username: string): Promise<string> => {
    const b = w.browser()
    const response = await password(w, b, username)
    return response.location?.includes('code=') ? 'let in' : at(b)
  }

  it('EN-8: skips are counted down, and then there is none', async () => {
    await policy(skips(2))
    await w.add('counted')
    for (const left of [2, 1]) {
      const b = w.browser()
      await password(w, b, 'counted')
      expect(at(b)).toBe('registration')
      expect(b.now?.html).toContain('value="skip"')
      const { claims } = await w.exchange(await b.submit({ action: 'skip' }))
      expect(claims).toMatchObject({ acr: 'urn:oidc-self-service:acr:pwd', amr: ['pwd'] })
      expect((await w.account('counted')).grace.skips).toBe(3 - left)
    }
    const b = w.browser()
    await password(w, b, 'counted')
    expect(b.now?.html).not.toContain('value="skip"')
    await b.submit({ action: 'skip' })
    expect(at(b)).toBe('registration !no_skips_left')
    expect((await w.account('counted')).grace.skips).toBe(2)
  })

  it('EN-8: one skip that is left is spent once by 20 browsers at once', async () => {
    await policy(skips(1))
    await w.add('parallel')
    const browsers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const b = w.browser()
        await password(w, b, 'parallel')
        return b
      }),
    )
    const answers = await Promise.all(
      browsers.map((b) => b.request(b.now?.url ?? '', { form: { ...hidden(b.now?.html ?? ''), action: 'skip' } })),
    )
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      303,
      ...Array.from({ length: 19 }, () => 422),
    ])
    expect((await w.account('parallel')).grace.skips).toBe(1)
  })

  it('EN-8: one "not now" covers other relying parties of the same browser for a day, and no longer', async () => {
    await policy(skips(1))
    await w.add('covered')
    const b = w.browser()
    await password(w, b, 'covered')
    expect(returned(await b.submit({ action: 'skip' }))).toHaveProperty('code')
    expect(returned(await b.open(w.authorize({ prompt: 'none' })))).toHaveProperty('code')
    const account = await w.account('covered')
    const grace = { ...account.grace, coveredUntil: w.clock.now() - 1 }
    await w.store.accounts.replace({ ...account, version: account.version + 1, grace }, account.version)
    expect(returned(await b.open(w.authorize({ prompt: 'none' })))).toMatchObject({ error: 'interaction_required' })
  })

  it('EN-8: until a date, skipping costs nothing; after it, it is over', async () => {
    await policy({})
    await w.close()
    await policy({ grace: { until: w.clock.now() + 3 * DAY, skips: 0, snoozeDays: 0 } })
    await w.add('dated')
    for (let round = 0; round < 3; round++) {
      const b = w.browser()
      await password(w, b, 'dated')
      expect(b.now?.html).toMatch(/[23] days/)
      expect(returned(await b.submit({ action: 'skip' }))).toHaveProperty('code')
    }
    expect((await w.account('dated')).grace).toMatchObject({ skips: 0 })
    w.clock.tick(3 * DAY)
    const b = w.browser()
    await password(w, b, 'dated')
    expect(at(b)).toBe('registration')
    await b.submit({ action: 'skip' })
    expect(at(b)).toBe('registration !no_skips_left')
  })

  it('snoozeDays keeps sign-in silent for that long', async () => {
    await policy(skips(2, 3))
    await w.add('quiet')
    const b = w.browser()
    await password(w, b, 'quiet')
    await b.submit({ action: 'skip' })
    expect(await stopped('quiet')).toBe('let in')
    w.clock.tick(2.9 * DAY)
    expect(await stopped('quiet')).toBe('let in')
    w.clock.tick(0.2 * DAY)
    expect(await stopped('quiet')).toBe('registration')
    expect((await w.account('quiet')).grace.skips).toBe(1)
  })

  it('EN-8: administrators have no grace of any kind', async () => {
    await policy({ grace: { until: Date.now() + 30 * DAY, skips: 9, snoozeDays: 9 } })
    await w.add('root', { groups: ['admins'], grace: { skips: 0, coveredUntil: 1e15, snoozedUntil: 1e15 } })
    const b = w.browser()
    await password(w, b, 'root')
    expect(at(b)).toBe('registration')
    expect(b.now?.html).not.toContain('value="skip"')
    await b.submit({ action: 'skip' })
    expect(at(b)).toBe('registration !no_skips_left')
  })

  describe('scope', () => {
    const people: [string, Partial<Account>][] = [
      ['plain', {}],
      ['staff', { groups: ['staff'] }],
      ['boss', { groups: ['admins'] }],
    ]
    it.each([
      ['none', ['let in', 'let in', 'registration']],
      ['selected', ['let in', 'registration', 'registration']],
      ['all', ['registration', 'registration', 'registration']],
    ] as const)('%s', async (scope, expected) => {
      await policy({ scope, groups: ['staff'] })
      const seen: string[] = []
      for (const [name, more] of people) {
        await w.add(`${name}-${scope}`, more)
        seen.push(await stopped(`${name}-${scope}`))
      }
      expect(seen).toEqual(expected)
    })

    it('required: false lets everybody in, and an authenticator is asked for all the same (EN-6)', async () => {
      await policy({})
      await w.add('holder')
      const { secret } = await register(w, w.browser(), 'holder')
      await w.close()
      await policy({ required: false })
      await w.add('nobody')
      expect(await stopped('nobody')).toBe('let in')
      expect(await stopped('holder')).toBe('prove totp')
      expect(secret).toHaveLength(32)
    })
  })

  describe('trust gate', () => {
    it('dangerouslyNone binds with the password alone, and needs no address', async () => {
      await policy({ trustGate: 'dangerouslyNone' })
      await w.add('bare', { emailVerified: false })
      const b = w.browser()
      await password(w, b, 'bare')
      await b.submit({ action: 'continue' })
      expect(at(b)).toBe('enrol totp')
      await b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })
      await b.submit({ acknowledged: 'yes', action: 'continue' })
      expect(at(b)).toBe('registered')
      expect(await registered(w, 'bare')).toEqual(['totp', 'recovery-codes'])
    })

    it('EN-1: a host of its own decides, at every sign-in', async () => {
      const asked: string[] = []
      let trusts = false
      await policy(
        { trustGate: 'predicate' },
        {
          trustGate: async (account, visit) => {
            asked.push(`${account.username} ${visit.client.id} ${visit.address}`)
            return trusts
          },
        },
      )
      await w.add('guarded')
      const b = w.browser()
      await password(w, b, 'guarded')
      await b.submit({ action: 'continue' })
      expect([at(b), b.now?.status]).toEqual(['error !trust_gate_refused', 403])
      expect(await registered(w, 'guarded')).toEqual([])
      trusts = true
      await password(w, b, 'guarded')
      await b.submit({ action: 'continue' })
      expect(at(b)).toBe('enrol totp')
      // The predicate had no page of its own.
      expect(b.now?.html).toContain('Step 1 of 2')
      expect(asked).toEqual(['guarded rp 127.0.0.1', 'guarded rp 127.0.0.1'])
    })

    it('EN-1: a predicate that nobody brought refuses', async () => {
      await policy({ trustGate: 'predicate' })
      await w.add('unguarded')
      const b = w.browser()
      await password(w, b, 'unguarded')
      await b.submit({ action: 'continue' })
      expect(at(b)).toBe('error !trust_gate_refused')
    })
  })
})
