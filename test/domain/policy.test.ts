// Tables of the policy's questions: what is missing, who is in scope, what grace is left, what a sign-in and a session meet.
import { describe, expect, it } from '@jest/globals'
import {
  canReset,
  factors,
  graceLeft,
  inScope,
  isAdmin,
  isRegistered,
  missing,
  type Policy,
  skip,
  type Traits,
  usableFactors,
  type Verdict,
  verdictAtSignIn,
  verdictOfSession,
} from '../../src/domain/policy.ts'
import { newAccount } from '../../src/domain/accounts.ts'
import type { Account, Credential, Grace } from '../../src/domain/types.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 22)

/** Two that can stand alone, two that travel the same way, one that everybody gets. */
const traits: Traits = [
  { id: 'key', kind: 'key', serves: ['second-factor', 'recovery'], standalone: true, always: false },
  { id: 'app', kind: 'app', serves: ['second-factor', 'recovery'], standalone: true, always: false },
  { id: 'codes', kind: 'codes', serves: ['second-factor', 'recovery'], standalone: false, always: true },
  { id: 'mail', kind: 'message', serves: ['recovery', 'bootstrap'], standalone: false, always: false },
  { id: 'phone', kind: 'message', serves: ['recovery'], standalone: false, always: false },
]

interface Change {
  registration?: Partial<Policy['registration']>
  mfa?: Partial<Policy['mfa']>
  reset?: Partial<Policy['reset']>
  admins?: string[]
}
const policyWith = ({ registration, mfa, reset, admins = ['admins'] }: Change = {}): Policy => ({
  registration: {
    required: true,
    scope: 'all',
    groups: ['staff'],
    trustGate: 'email',
    grace: { skips: 0, snoozeDays: 0 },
    ...registration,
  },
  mfa: { required: true, methods: ['key', 'app', 'codes'], ...mfa },
  reset: { scope: 'all', groups: [], gates: 2, methods: ['app', 'mail', 'phone', 'codes'], unlock: true, ...reset },
  password: { banned: [] },
  notify: { user: true, admins: true },
  admins: { groups: admins },
})

const credential = (name: string): Credential => {
  const [method = '', mark] = name.split('!')
  return { id: name, method, label: '', addedAt: 0, ...(mark === 'disabled' && { disabled: true }), data: {} }
}
const accountWith = (names = '', more: Partial<Account> = {}): Account => ({
  ...newAccount('alice', 0),
  credentials: names.split(' ').filter(Boolean).map(credential),
  ...more,
})
const grace = (more: Partial<Grace> = {}): Grace => ({ skips: 0, coveredUntil: 0, snoozedUntil: 0, ...more })
const admin = { groups: ['admins'] }

/** `why: first|second` for each thing that is missing. */
const listed = (account: Account, policy: Policy, sure: string[] = []): string[] =>
  missing(traits, policy, account, sure).map(({ why, methods }) => `${why}: ${methods.join('|')}`)

describe('missing', () => {
  const none = policyWith()
  const one = policyWith({ reset: { gates: 1 } })
  const factor = 'second-factor: key|app'
  const always = 'always: codes'
  const rows: [string, Policy, string, string[], string[]][] = [
    ['everything, with the address for sure: the app serves twice', none, '', ['mail'], [factor, always]],
    ['everything, without: the codes are the second kind', none, '', [], [factor, always, 'recovery: app|mail|phone']],
    ['an app alone', none, 'app', [], [always]],
    ['app and codes', none, 'app codes', [], []],
    ['a key is no method of reset: another kind is missing', none, 'key codes', [], ['recovery: app|mail|phone']],
    ['key, codes and an address', none, 'key codes mail', [], []],
    [
      'mail and phone are one kind',
      policyWith({ mfa: { required: false, methods: ['app'] }, reset: { methods: ['mail', 'phone', 'app'] } }),
      'mail phone',
      [],
      ['recovery: app'],
    ],
    ['codes are never the only second factor', none, 'codes mail', [], [factor]],
    ['an address is no second factor', one, 'mail codes', [], [factor]],
    ['a disabled app serves nothing', none, 'app!disabled codes mail', [], [factor]],
    ['disabled codes were issued once', none, 'app mail codes!disabled', [], []],
    [
      'a second factor that policy does not accept',
      policyWith({ mfa: { methods: ['app', 'codes'] } }),
      'key codes mail',
      [],
      ['second-factor: app'],
    ],
    ['one gate: two second factors of two kinds', one, 'app codes', [], []],
    [
      'one gate: a second factor alone is no gate',
      policyWith({ mfa: { methods: ['app'] }, reset: { gates: 1, methods: ['app', 'mail', 'phone'] } }),
      'app',
      [],
      ['recovery: mail|phone'],
    ],
    ['one gate: codes alone are none either', one, 'key codes', [], ['recovery: app|mail|phone']],
    ['one gate: an address is one', one, 'key codes mail', [], []],
    ['one gate: what the trust gate brings is one', one, 'key codes', ['mail'], []],
    [
      'one gate that no method can be: it ends',
      policyWith({ reset: { gates: 1, methods: ['app'] } }),
      'app codes',
      [],
      [],
    ],
    [
      'no second factor wanted: two kinds for the reset',
      policyWith({ mfa: { required: false } }),
      '',
      [],
      [always, 'recovery: app|mail|phone'],
    ],
    [
      'no second factor wanted, one gate: the codes are one at sign-in, so they want another',
      policyWith({ mfa: { required: false }, reset: { gates: 1 } }),
      '',
      [],
      [always, 'recovery: app|mail|phone'],
    ],
    [
      'codes that policy does not know are not asked for',
      policyWith({ mfa: { methods: ['app'] }, reset: { methods: ['app', 'mail'] } }),
      'app mail',
      [],
      [],
    ],
    [
      'codes for the reset alone are asked for',
      policyWith({ mfa: { methods: ['app'] }, reset: { methods: ['app', 'codes'] } }),
      'app',
      [],
      [always],
    ],
    [
      'more gates than kinds: it ends',
      policyWith({ mfa: { required: false, methods: ['app'] }, reset: { methods: ['mail', 'phone'] } }),
      'mail',
      [],
      [],
    ],
    [
      'a method that nobody brought is no help',
      policyWith({ mfa: { required: false, methods: ['app'] }, reset: { methods: ['mail', 'carrier-pigeon'] } }),
      'mail carrier-pigeon',
      [],
      [],
    ],
  ]
  it.each(rows)('%s', (_title, policy, has, sure, expected) => {
    expect(listed(accountWith(has), policy, sure)).toEqual(expected)
  })

  it('RS-6: administrators need two kinds where others need one', () => {
    const reset = policyWith({
      mfa: { required: false, methods: ['app'] },
      reset: { gates: 1, methods: ['app', 'mail'] },
    })
    expect(listed(accountWith('mail'), reset)).toEqual([])
    expect(listed(accountWith('mail', admin), reset)).toEqual(['recovery: app'])
  })

  it('is registered when nothing is missing, and only then', () => {
    expect(isRegistered(traits, none, accountWith('app codes'))).toBe(true)
    expect(isRegistered(traits, none, accountWith('app'))).toBe(false)
  })

  it.each(['', 'app', 'codes', 'mail', 'key', 'key mail', 'app!disabled'])(
    'registering the first method of each item is enough, and no item is too many: %s',
    (has) => {
      // Where every second factor is a method of reset as well, strongest first and fewest agree.
      const none = policyWith({ reset: { methods: ['key', 'app', 'mail', 'phone', 'codes'] } })
      const before = accountWith(has)
      const items = missing(traits, none, before)
      const after = accountWith([has, ...items.map(({ methods }) => methods[0])].join(' '))
      expect(isRegistered(traits, none, after)).toBe(true)
      for (const left of items) {
        const some = items.filter((item) => item !== left).map(({ methods }) => methods[0])
        expect(isRegistered(traits, none, accountWith([has, ...some].join(' ')))).toBe(false)
      }
    },
  )
})

describe('who must reset', () => {
  const lone = (scope: Policy['reset']['scope']): Policy =>
    policyWith({
      mfa: { required: false, methods: ['app'] },
      reset: { scope, groups: ['staff'], methods: ['app', 'mail'] },
    })
  const both = ['recovery: app|mail', 'recovery: mail']
  it.each([
    ['none', [], []],
    ['none', ['staff'], []],
    ['selected', [], []],
    ['selected', ['staff'], both],
    ['all', [], both],
  ] as const)('reset.scope %s, groups %j', (scope, groups, expected) => {
    expect(listed(accountWith('', { groups: [...groups] }), lone(scope))).toEqual(expected)
  })
})

describe('RS-6: who can reset', () => {
  const password = { hash: '', changedAt: 0 }
  const gate1 = { gates: 1 } as const
  const rows: [string, Change, string, Partial<Account>, string][] = [
    ['an app alone, one gate', { reset: gate1 }, 'app', {}, 'not-registered'],
    ['codes beside a key that is no method of reset, one gate', { reset: gate1 }, 'key codes', {}, 'not-registered'],
    ['an app and codes, one gate: both are asked for', { reset: gate1 }, 'app codes', {}, 'reset'],
    ['an app and an address, one gate', { reset: gate1 }, 'app mail', {}, 'reset'],
    ['an address beside a key, one gate', { reset: gate1 }, 'key mail', {}, 'reset'],
    ['an address alone, one gate, where sign-in wants a factor', { reset: gate1 }, 'mail', {}, 'not-registered'],
    ['the same, where it wants none', { mfa: { required: false }, reset: gate1 }, 'mail', {}, 'reset'],
    ['codes alone, where it wants none', { mfa: { required: false }, reset: gate1 }, 'codes', {}, 'not-registered'],
    ['a disabled address, one gate', { reset: gate1 }, 'app mail!disabled', {}, 'not-registered'],
    [
      'an address that policy does not take, one gate',
      { reset: { ...gate1, methods: ['app', 'codes'] } },
      'app mail',
      {},
      'not-registered',
    ],
    ['an administrator with an address, one gate', { reset: gate1 }, 'key mail', admin, 'not-registered'],
    ['an administrator with two kinds, one gate', { reset: gate1 }, 'app mail', admin, 'reset'],
    ['two gates, one kind', {}, 'mail phone', {}, 'not-registered'],
    ['two gates, two kinds', {}, 'app mail', {}, 'reset'],
  ]
  it.each(rows)('%s', (_title, change, has, more, expected) => {
    expect(canReset(traits, policyWith(change), accountWith(has, { password, ...more }), NOW)).toBe(expected)
  })

  it('registered is able to reset, and able to reset has nothing left to register for it: every policy, every account', () => {
    const ids = traits.map(({ id }) => id)
    const subsets = Array.from({ length: 2 ** ids.length }, (_, bits) => ids.filter((_id, at) => (bits >> at) & 1))
    let [able, unable] = [0, 0]
    for (const methods of subsets) {
      for (const gates of [1, 2] as const) {
        for (const required of [true, false]) {
          for (const more of [{}, admin]) {
            const policy = policyWith({ mfa: { required }, reset: { gates, methods } })
            const verdict = (has: readonly string[]) =>
              canReset(traits, policy, accountWith(has.join(' '), { password, ...more }), NOW)
            // A policy that nobody could meet is refused by the configuration, and asks for nothing here.
            if (verdict(ids) !== 'reset') continue
            for (const has of subsets) {
              const left = missing(traits, policy, accountWith(has.join(' '), { password, ...more }))
              const what = [gates, required, more, methods, has]
              const can = verdict(has) === 'reset'
              if (left.length === 0) expect([what, can]).toEqual([what, true])
              if (can) expect([what, left.filter(({ why }) => why === 'recovery')]).toEqual([what, []])
              if (can) able++
              else unable++
            }
          }
        }
      }
    }
    expect(Math.min(able, unable)).toBeGreaterThan(500)
  })
})

describe('factors', () => {
  it('EN-6: what an account has counts, whatever policy says and also when it is disabled', () => {
    const account = accountWith('key app!disabled codes mail')
    const ids = (list: Credential[]): string[] => list.map(({ id }) => id)
    expect(ids(factors(traits, account))).toEqual(['key', 'app!disabled', 'codes'])
    expect(ids(usableFactors(traits, policyWith(), account))).toEqual(['key', 'codes'])
    expect(ids(usableFactors(traits, policyWith({ mfa: { methods: ['app'] } }), account))).toEqual([])
  })
})

describe('scope', () => {
  const rows: [Policy['registration']['scope'], string[], boolean][] = [
    ['none', [], false],
    ['none', ['staff'], false],
    ['none', ['admins'], true],
    ['selected', [], false],
    ['selected', ['staff'], true],
    ['selected', ['others'], false],
    ['selected', ['others', 'admins'], true],
    ['all', [], true],
  ]
  it.each(rows)('%s, groups %j: %s', (scope, groups, expected) => {
    expect(inScope(policyWith({ registration: { scope } }), accountWith('', { groups }))).toBe(expected)
  })

  it('an administrator is a member of one of the groups, exactly spelled', () => {
    const policy = policyWith({ admins: ['admins', 'root'] })
    const is = (...groups: string[]): boolean => isAdmin(policy, { groups })
    expect([is('root'), is('x', 'admins'), is('Admins'), is(), isAdmin(policyWith({ admins: [] }), admin)]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
  })
})

describe('grace', () => {
  const given = (more: Partial<Policy['registration']['grace']>): Policy =>
    policyWith({ registration: { grace: { skips: 0, snoozeDays: 0, ...more } } })
  const until = NOW + 3 * DAY

  it.each([
    ['none given', {}, {}, undefined],
    ['skips left', { skips: 3 }, { skips: 1 }, { skips: 2 }],
    ['skips spent', { skips: 3 }, { skips: 3 }, undefined],
    ['policy gives fewer than were spent', { skips: 1 }, { skips: 3 }, undefined],
    ['before the date', { until }, {}, { skips: 0, until }],
    ['before the date, with skips', { until, skips: 2 }, { skips: 1 }, { skips: 1, until }],
    ['at the date', { until: NOW }, {}, undefined],
    ['after the date skips go on', { until: NOW - 1, skips: 2 }, {}, { skips: 2 }],
  ] as const)('EN-8: %s', (_title, policy, spent, expected) => {
    expect(graceLeft(given(policy), accountWith('', { grace: grace(spent) }), NOW)).toEqual(expected)
  })

  it('EN-8: administrators have none', () => {
    const policy = given({ until, skips: 9 })
    expect(graceLeft(policy, accountWith('', admin), NOW)).toBeUndefined()
    expect(skip(policy, accountWith('', admin), NOW)).toBeUndefined()
  })

  it('a skip is counted, covers a day and silences the days that policy gives', () => {
    expect(skip(given({ skips: 2, snoozeDays: 3 }), accountWith(), NOW)?.grace).toEqual({
      skips: 1,
      coveredUntil: NOW + DAY,
      snoozedUntil: NOW + 3 * DAY,
    })
    expect(skip(given({ skips: 1 }), accountWith('', { grace: grace({ skips: 1 }) }), NOW)).toBeUndefined()
  })

  it('EN-8: without quiet days one "not now" lets nobody else through, however their clocks run', () => {
    const next = skip(given({ skips: 1 }), accountWith(), NOW)
    expect(next).toBeDefined()
    const earlier = NOW - 5
    expect(verdictAtSignIn(traits, given({ skips: 1 }), next ?? accountWith(), earlier)).toBe('required')
  })

  it('a date costs no skip, and covers no further than itself', () => {
    expect(skip(given({ until, skips: 2 }), accountWith(), NOW)?.grace).toMatchObject({
      skips: 0,
      coveredUntil: NOW + DAY,
    })
    expect(skip(given({ until: NOW + 60_000 }), accountWith(), NOW)?.grace).toMatchObject({
      coveredUntil: NOW + 60_000,
    })
  })

  it('nothing but the grace changes', () => {
    const account = accountWith('mail', { groups: ['staff'] })
    const next = skip(given({ skips: 1 }), account, NOW)
    expect({ ...next, grace: account.grace }).toEqual(account)
  })
})

describe('verdicts', () => {
  type Row = [string, Change, Partial<Account>, string, Verdict, Verdict]
  const skips = { registration: { grace: { skips: 1, snoozeDays: 0 } } }
  const covered = { grace: grace({ skips: 1, coveredUntil: NOW + 1 }) }
  const snoozed = { grace: grace({ skips: 1, snoozedUntil: NOW + 1, coveredUntil: NOW + 1 }) }
  const rows: Row[] = [
    ['not registered', {}, {}, '', 'required', 'required'],
    ['registered', {}, {}, 'app codes', 'fine', 'fine'],
    ['switched off', { registration: { required: false } }, {}, '', 'fine', 'fine'],
    ['switched off, for administrators as well', { registration: { required: false } }, admin, '', 'fine', 'fine'],
    ['out of scope', { registration: { scope: 'none' } }, {}, '', 'fine', 'fine'],
    ['out of scope, an administrator', { registration: { scope: 'none' } }, admin, '', 'required', 'required'],
    ['a skip is left', skips, {}, '', 'skippable', 'skippable'],
    ['skipped today', skips, covered, '', 'required', 'skippable'],
    ['skipped a day ago', skips, { grace: grace({ skips: 1, coveredUntil: NOW }) }, '', 'required', 'required'],
    ['quiet days', skips, snoozed, '', 'fine', 'fine'],
    ['quiet days are over', skips, { grace: grace({ skips: 1, snoozedUntil: NOW }) }, '', 'required', 'required'],
    ['an administrator with traces of grace', skips, { ...admin, ...snoozed }, '', 'required', 'required'],
    [
      'before the date',
      { registration: { grace: { until: NOW + 1, skips: 0, snoozeDays: 0 } } },
      {},
      '',
      'skippable',
      'skippable',
    ],
  ]
  it.each(rows)('EN-8: %s', (_title, change, more, has, atSignIn, ofSession) => {
    const [policy, account] = [policyWith(change), accountWith(has, more)]
    expect(verdictAtSignIn(traits, policy, account, NOW)).toBe(atSignIn)
    expect(verdictOfSession(traits, policy, account, NOW)).toBe(ofSession)
  })
})
