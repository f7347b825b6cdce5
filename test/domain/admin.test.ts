// What an administrator's acts make of an account, and what they never touch.
import { describe, expect, it } from '@jest/globals'
import type { Act, Acting, Outcome } from '../../src/admin/act.ts'
import { erase, isDeleted } from '../../src/admin/delete.ts'
import { activationFrom, invite, requireRegistration } from '../../src/admin/registration.ts'
import { disable, enable, requireChange, revokeSessions, unlock, waitsOf } from '../../src/admin/standing.ts'
import { update } from '../../src/admin/update.ts'
import { newAccount } from '../../src/domain/accounts.ts'
import type { Account, Credential } from '../../src/domain/types.ts'
import { readPolicy } from '../../src/config/load.ts'
import { createMethods } from '../../src/methods/index.ts'

const traits = createMethods()
const policyOf = (text: string) => readPolicy({ file: 'policy.yaml', text, methods: traits }).policy
const usual = 'admins: { groups: [admins] }'
const policy = policyOf(usual)

const NOW = Date.UTC(2026, 10, 1)
let count = 0
const acting: Acting = { actor: 'cli:root', at: NOW, id: () => `event-${(count += 1)}` }

const credential = (method: string, data: unknown = {}): Credential => ({
  id: method,
  method,
  label: `my ${method}`,
  addedAt: 5,
  data,
})

const account: Account = {
  ...newAccount('id-1', 1000),
  version: 7,
  username: 'Alice',
  usernameKey: 'alice',
  name: 'Alice Example',
  email: 'alice@example.org',
  emailVerified: true,
  groups: ['staff'],
  epoch: 3,
  password: { hash: 'the hash', changedAt: 900 },
  credentials: [credential('totp', { sealed: 'the seed' }), credential('email', { address: 'alice@example.org' })],
  grace: { skips: 1, coveredUntil: NOW + 5, snoozedUntil: NOW + 6 },
  browsers: ['b1', 'b2'],
}
const unregistered: Account = { ...account, credentials: [credential('email', { address: 'alice@example.org' })] }

function done(outcome: Outcome) {
  if ('account' in outcome) return outcome
  throw new Error(`nothing was done: ${JSON.stringify(outcome)}`)
}

const nothing = { verified: false, join: [], leave: [] }
const acts: Record<string, { act: Act; on?: Account; kind: string; epoch: boolean }> = {
  disable: { act: disable(acting), kind: 'account.disabled', epoch: true },
  enable: { act: enable(acting), on: { ...account, disabled: true }, kind: 'account.enabled', epoch: false },
  'revoke-sessions': { act: revokeSessions(acting), kind: 'account.signed-out', epoch: true },
  'require-change': { act: requireChange(acting), kind: 'password.flagged', epoch: true },
  unlock: { act: unlock(acting, { thaw: false }), kind: 'account.unlocked', epoch: false },
  'require-registration': {
    act: requireRegistration(acting, { policy, traits }),
    kind: 'registration.required',
    epoch: true,
  },
  invite: { act: invite(acting, { policy, traits }), on: unregistered, kind: 'account.invited', epoch: true },
  update: { act: update(acting, { ...nothing, name: 'A' }), kind: 'account.updated', epoch: false },
  delete: { act: erase(acting), kind: 'account.deleted', epoch: true },
}

describe.each(Object.entries(acts))('%s', (_name, { act, on = account, kind, epoch }) => {
  it('LG-2: tells exactly one event, with the actor, the account and the time', () => {
    const { events } = done(act(on))
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({ kind, outcome: 'success', actor: 'cli:root', accountId: 'id-1', at: NOW })
  })

  it('LG-1: tells no secret', () => {
    const { events } = done(act(on))
    expect(JSON.stringify(events)).not.toMatch(/the hash|the seed/)
  })

  it(`ends what was signed in: ${epoch}`, () => {
    expect(done(act(on)).account.epoch).toBe(on.epoch + (epoch ? 1 : 0))
  })

  it('CH-8: chooses no password and adds no factor; id, version and what waits in the outbox stay', () => {
    const waiting = { id: 'e', kind: 'account.added', outcome: 'success', at: 1 } as const
    const before = { ...on, outbox: [waiting] }
    const { account: after } = done(act(before))
    expect([undefined, before.password?.hash]).toContain(after.password?.hash)
    for (const one of after.credentials) expect(before.credentials).toContainEqual(one)
    expect(after).toMatchObject({ id: 'id-1', version: 7, outbox: [waiting] })
  })
})

describe('standing', () => {
  it('disables and enables once', () => {
    expect(disable(acting)({ ...account, disabled: true })).toEqual({ unchanged: 'is disabled already' })
    expect(enable(acting)(account)).toEqual({ unchanged: 'is enabled already' })
    expect(done(acts['disable']!.act(account)).account).toEqual({ ...account, disabled: true, epoch: 4 })
  })

  it('flags the password, which stays; without one there is nothing to flag', () => {
    expect(done(requireChange(acting)(account)).account.password).toEqual({
      ...account.password,
      mustChange: 'flagged',
    })
    const { password: _none, ...bare } = account
    expect(requireChange(acting)(bare)).toEqual({ refused: 'has no password to change' })
  })

  it('unlocks without enabling anything; thaws only when told to', () => {
    const frozen = { ...account, frozen: { at: 77 } }
    const disabled = { ...frozen, disabled: true, credentials: [{ ...credential('totp'), disabled: true }] }
    expect(done(unlock(acting, { thaw: false })(disabled)).account).toEqual(disabled)
    const thawed = done(unlock(acting, { thaw: true })(frozen))
    expect(thawed.account).toEqual(account)
    expect(thawed.events.map(({ kind }) => kind)).toEqual(['account.unlocked', 'account.thawed'])
    expect(thawed.events[1]?.detail).toEqual({ since: '1970-01-01T00:00:00.077Z' })
    expect(done(unlock(acting, { thaw: true })(account)).events).toHaveLength(1)
    expect(waitsOf(account)).toEqual(['password:id-1', 'password:id-1:b1', 'password:id-1:b2'])
  })
})

describe('registration', () => {
  it('require-registration leaves nothing registered and no "not now"; the event remembers what there was', () => {
    const { account: after, events } = done(requireRegistration(acting, { policy, traits })(account))
    const grace = { skips: 1, coveredUntil: 0, snoozedUntil: 0 }
    expect(after).toEqual({ ...account, credentials: [], epoch: 4, grace })
    const addedAt = '1970-01-01T00:00:00.005Z'
    expect(events[0]?.detail).toEqual({
      removed: [
        { method: 'totp', label: 'my totp', addedAt },
        { method: 'email', label: 'my email', addedAt },
      ],
    })
  })

  it.each(['registration: { required: false }', 'registration: { scope: none }'])(
    'require-registration never leaves an account without a factor where policy (%s) would not ask for one',
    (text) => {
      const judging = { policy: policyOf(text), traits }
      expect(requireRegistration(acting, judging)(account)).toEqual({
        refused: expect.stringContaining('would not be asked to register'),
      })
    },
  )

  it('require-registration has nothing to do where nothing is registered', () => {
    const act = requireRegistration(acting, { policy, traits })
    expect(act({ ...account, credentials: [] })).toEqual({ unchanged: 'has nothing registered' })
  })

  it('invite takes the password and what was half registered, and opens activation for 30 days', () => {
    const { account: after, events } = done(invite(acting, { policy, traits })(unregistered))
    const { password: _gone, ...rest } = unregistered
    expect(after).toEqual({ ...rest, credentials: [], epoch: 4, activation: { until: NOW + 30 * 86_400_000 } })
    expect(after.activation).toEqual(activationFrom(NOW))
    expect(events[0]?.detail).toMatchObject({ passwordRemoved: true, removed: [{ method: 'email' }] })
  })

  const { email: _none, ...without } = unregistered
  it.each<[string, Account, string]>([
    ['has a second factor', account, usual],
    ['has a second factor', { ...account, credentials: [{ ...credential('totp'), disabled: true }] }, usual],
    ['administrators also need an access pass, which comes later', { ...unregistered, groups: ['admins'] }, usual],
    ['is disabled', { ...unregistered, disabled: true }, usual],
    ['is frozen', { ...unregistered, frozen: { at: 1 } }, usual],
    ['has no mail address', { ...unregistered, emailVerified: false }, usual],
    ['has no mail address', without, usual],
    ['reset.scope', unregistered, 'reset: { scope: none }'],
  ])('invite is refused: %s', (why, on, text) => {
    const judging = { policy: policyOf(text), traits }
    expect(invite(acting, judging)(on)).toEqual({ refused: expect.stringContaining(why) })
  })
})

describe('update', () => {
  const change = (wishes: Partial<Parameters<typeof update>[1]>, on = account) =>
    update(acting, { ...nothing, ...wishes })(on)

  it('tells old and new values of what changed, and of nothing else', () => {
    const { account: after, events } = done(
      change({
        username: { shown: 'Bob', key: 'bob' },
        name: null,
        email: 'bob@example.org',
        join: ['ops', 'staff'],
        leave: ['staff', 'nobody'],
      }),
    )
    const { name: _gone, ...rest } = account
    expect(after).toEqual({
      ...rest,
      username: 'Bob',
      usernameKey: 'bob',
      email: 'bob@example.org',
      emailVerified: false,
      groups: ['ops'],
      // A mailbox that was replaced opens nothing any more.
      credentials: account.credentials.filter(({ id }) => id !== 'email'),
      epoch: account.epoch + 1,
    })
    expect(events[0]?.detail).toEqual({
      changes: [
        { field: 'username', from: 'Alice', to: 'Bob' },
        { field: 'name', from: 'Alice Example', to: null },
        { field: 'email', from: 'alice@example.org', to: 'bob@example.org' },
        { field: 'emailVerified', from: true, to: false },
        { field: 'groups', from: ['staff'], to: ['ops'] },
      ],
    })
  })

  it('a new address is verified only where somebody vouches for it; the same one stays verified', () => {
    expect(done(change({ email: 'new@example.org' })).account.emailVerified).toBe(false)
    expect(done(change({ email: 'new@example.org', verified: true })).account.emailVerified).toBe(true)
    expect(change({ email: 'alice@example.org' })).toEqual({ unchanged: 'is so already' })
    expect(done(change({ verified: true }, { ...account, emailVerified: false })).account).toEqual(account)
    expect(done(change({ email: null })).account).not.toHaveProperty('email')
    expect(change({ email: null, verified: true })).toEqual({ refused: 'has no mail address to vouch for' })
  })
})

describe('delete', () => {
  it('leaves an id, an event and nothing personal; the name is free', () => {
    const { account: after, events } = done(erase(acting)({ ...account, activation: { until: 1 }, language: 'en' }))
    expect(after).toEqual({
      ...newAccount('id-1', 1000),
      version: 7,
      usernameKey: 'deleted:id-1',
      disabled: true,
      epoch: 4,
    })
    expect(events[0]?.detail).toEqual({ username: 'Alice' })
    expect([isDeleted(account), isDeleted(after)]).toEqual([false, true])
    expect(erase(acting)(after)).toEqual({ unchanged: 'is deleted' })
  })
})
