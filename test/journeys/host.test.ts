// What a host does or suffers must not reach its users: listeners that fail, directories that disable, policies that race.
import { describe, expect, it } from '@jest/globals'
import { skip } from '../../src/domain/policy.ts'
import { newAccount } from '../../src/domain/accounts.ts'
import type { Directory } from '../../src/domain/ports.ts'
import { policySource } from '../../src/policy-source.ts'
import { sqliteStore } from '../../src/stores/sqlite/index.ts'
import { clock, defaultPolicy, passwordOf, register, world } from '../world.ts'

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

describe('a host', () => {
  it('whose listener fails does not break a sign-in', async () => {
    const said: string[] = []
    const log = { ...quiet, error: (_facts: object, text: string) => void said.push(text) }
    const w = await world({ options: { log } })
    try {
      w.self.on('*', () => {
        throw new Error('the host is to blame')
      })
      await w.add('alice')
      const { response } = await register(w, w.browser(), 'alice')
      expect((await w.exchange(response)).claims['amr']).toEqual(['pwd', 'otp', 'mfa'])
      expect(said).toContain('a listener failed')
    } finally {
      await w.close()
    }
  })

  it('SE-9: whose directory disables somebody for a while has signed them out, also when it enables them again', async () => {
    const dan = {
      id: 'd1',
      username: 'dan',
      email: 'dan@example.org',
      emailVerified: true,
      groups: [],
      disabled: false,
    }
    const directory: Directory = {
      findByUsername: async (username) => (username === dan.username ? dan : undefined),
      find: async (id) => (id === dan.id ? dan : undefined),
      verify: async (_id, password) => password === passwordOf('dan'),
    }
    const w = await world({ directory })
    try {
      const b = w.browser()
      await register(w, b, 'dan')
      expect((await b.open(w.authorize({ prompt: 'none' }))).location).toContain('code=')
      dan.disabled = true
      await b.open(w.authorize({ prompt: 'none' }))
      dan.disabled = false
      expect((await b.open(w.authorize({ prompt: 'none' }))).location).toContain('error=login_required')
    } finally {
      await w.close()
    }
  })

  it('whose directory takes no password offers no change of it', async () => {
    const dan = { id: 'd1', username: 'dan', email: 'dan@example.org', emailVerified: true, groups: [] }
    const directory: Directory = {
      findByUsername: async () => dan,
      find: async () => dan,
      verify: async (_id, password) => password === passwordOf('dan'),
    }
    const w = await world({ directory })
    try {
      const b = w.browser()
      await register(w, b, 'dan')
      for (const page of ['change-password', 'forgot-password']) {
        await b.open(`${w.issuer}/${page}`)
        expect(b.page.page).not.toBe('new-password')
        expect(b.page.page).not.toBe('password')
      }
      await b.open(w.authorize({ prompt: 'login' }))
      expect(b.now?.html).not.toContain('value="forgot"')
    } finally {
      await w.close()
    }
  })
})

describe('policy', () => {
  it('LG-2: two processes that see two different edits leave two events', async () => {
    const store = await sqliteStore(':memory:')
    const at = (skips: number) => ({
      ...defaultPolicy,
      registration: { ...defaultPolicy.registration, grace: { skips, snoozeDays: 0 } },
    })
    const source = (skips: number) =>
      policySource({ policy: at(skips), claims: store.claims, audit: store.audit, chance: clock(), log: quiet })
    try {
      await source(0).refresh()
      await Promise.all([source(1).refresh(), source(2).refresh()])
      const events = await store.audit.query({ kind: 'policy.changed' }, 10)
      const changes = events.map(({ detail = {} }) => (detail['changes'] as { to: unknown }[])[0]?.to)
      expect(new Set(changes)).toEqual(new Set([1, 2]))
      expect(events).toHaveLength(2)
    } finally {
      await store.close()
    }
  })

  it('EN-8: no "not now" outlives the deadline, however long it snoozes', () => {
    const until = Date.UTC(2027, 0, 31)
    const grace = { until, skips: 0, snoozeDays: 14 }
    const policy = { ...defaultPolicy, registration: { ...defaultPolicy.registration, grace } }
    const after = skip(policy, newAccount('a', 0), until - 1)
    expect(after?.grace).toEqual({ skips: 0, coveredUntil: until, snoozedUntil: until })
  })
})
