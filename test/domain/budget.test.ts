// The rule of budgets: windows that slide, waits that grow, counts in a row, and guesses that repeat.
import { describe, expect, it } from '@jest/globals'
import {
  admission,
  type Budget,
  budgets,
  remembered,
  spend,
  type Spent,
  unspent,
  waitAfter,
} from '../../src/domain/budget.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Hits one after another; each that is admitted is spent. */
function after(budget: Budget, hits: readonly (number | [number, string])[]): Spent {
  return hits.reduce<Spent>((spent, hit, index) => {
    const [at, id] = typeof hit === 'number' ? [hit, `hit ${index}`] : hit
    return admission(spent, budget, at, id).admitted ? spend(spent, budget, { at, id }) : spent
  }, unspent)
}
const judged = (spent: Spent, budget: Budget, at: number, id = 'next') => admission(spent, budget, at, id)

describe('windows', () => {
  const budget: Budget = {
    windows: [
      { limit: 2, period: 100 },
      { limit: 3, period: 1000 },
    ],
  }

  it.each([
    [[], 0, { admitted: true, inRow: 1 }],
    [[0], 0, { admitted: true, inRow: 2 }],
    [[0, 10], 20, { admitted: false, why: 'window', until: 100 }],
    [[0, 10], 99, { admitted: false, why: 'window', until: 100 }],
    [[0, 10], 100, { admitted: true, inRow: 3 }],
    [[0, 10, 100], 105, { admitted: false, why: 'window', until: 1000 }],
    [[0, 10, 100], 999, { admitted: false, why: 'window', until: 1000 }],
    [[0, 10, 100], 1000, { admitted: true, inRow: 4 }],
  ] as const)('after %j at %i', (hits, at, expected) => {
    expect(judged(after(budget, hits), budget, at)).toEqual(expected)
  })

  it('remembers what the widest window needs, and no more', () => {
    expect(remembered(budget)).toBe(3)
    expect(remembered({ remember: 5, windows: [{ limit: 2, period: 1 }] })).toBe(5)
    expect(remembered({})).toBe(0)
    expect(after(budget, [0, 200, 2000, 4000, 6000]).hits.map(({ at }) => at)).toEqual([6000, 4000, 2000])
  })

  it('TH-7: a refusal spends nothing, so a flood prolongs nothing', () => {
    const full = after(budget, [0, 10])
    expect(after(budget, [0, 10, ...Array.from({ length: 50 }, (_, index) => 20 + index)])).toEqual(full)
  })
})

describe('in a row', () => {
  const budget: Budget = {
    streak: {
      waits: [
        { from: 2, wait: 10 },
        { from: 3, wait: 40 },
      ],
      limit: 4,
    },
  }

  it.each([
    [[0], 0, { admitted: true, inRow: 2 }],
    [[0, 0], 9, { admitted: false, why: 'wait', until: 10 }],
    [[0, 0], 10, { admitted: true, inRow: 3 }],
    [[0, 0, 10], 49, { admitted: false, why: 'wait', until: 50 }],
    [[0, 0, 10], 50, { admitted: true, inRow: 4 }],
    [[0, 0, 10, 50], 1e12, { admitted: false, why: 'streak' }],
  ] as const)('after %j at %i', (hits, at, expected) => {
    expect(judged(after(budget, hits), budget, at)).toEqual(expected)
  })

  it('without a wait nothing is early, though clocks differ a little', () => {
    expect(judged(after(budget, [100]), budget, 99)).toEqual({ admitted: true, inRow: 2 })
  })

  it('waits never fall as the count rises, and are 0 before the first', () => {
    const waits = Array.from({ length: 100 }, (_, inRow) => waitAfter(budgets.password.streak, inRow))
    expect(waits.toSorted((a, b) => a - b)).toEqual(waits)
    expect(waits[9]).toBe(0)
    expect(Math.max(...waits)).toBe(15 * MINUTE)
  })
})

describe('repeats', () => {
  const budget: Budget = { streak: { waits: [], limit: 9 }, remember: 3 }
  const said: [number, string][] = [
    [0, 'a'],
    [1, 'b'],
    [2, 'c'],
  ]

  it.each([
    ['a', { admitted: false, why: 'repeat' }],
    ['c', { admitted: false, why: 'repeat' }],
    ['d', { admitted: true, inRow: 4 }],
  ])('one of the last three is the same guess again: %s', (id, expected) => {
    expect(judged(after(budget, said), budget, 3, id)).toEqual(expected)
  })

  it('the fourth last is a guess of its own', () => {
    expect(judged(after(budget, [...said, [3, 'd']]), budget, 4, 'a')).toEqual({ admitted: true, inRow: 5 })
  })

  it('a repeat is told before a wait and before the end', () => {
    const closed: Budget = { streak: { waits: [{ from: 1, wait: 100 }], limit: 1 }, remember: 3 }
    expect(judged(after(closed, [[0, 'a']]), closed, 1, 'a')).toEqual({ admitted: false, why: 'repeat' })
    expect(judged(after(closed, [[0, 'a']]), closed, 1, 'b')).toEqual({ admitted: false, why: 'streak' })
  })
})

describe('the table', () => {
  /** How many of `count` hits, one each `every`, are admitted. */
  const admitted = (budget: Budget, count: number, every: number): number => {
    const hits = Array.from({ length: count }, (_, index) => index * every)
    return hits.reduce<[Spent, number]>(
      ([spent, sum], at) => {
        const id = `hit ${at}/${sum}`
        return admission(spent, budget, at, id).admitted ? [spend(spent, budget, { at, id }), sum + 1] : [spent, sum]
      },
      [unspent, 0],
    )[1]
  }

  it('TH-2: passwords wait 60 s from the 10th failure, doubling, at most 15 min', () => {
    const { streak } = budgets.password
    expect([9, 10, 11, 12, 13, 14, 50].map((inRow) => waitAfter(streak, inRow) / SECOND)).toEqual([
      0, 60, 120, 240, 480, 900, 900,
    ])
  })

  it.each([
    ['TH-1: 100 passwords in a row, over a week', budgets.password, 10_080, MINUTE, 100],
    ['TH-4: 10 passwords in a known browser', budgets.passwordKnownBrowser, 50, DAY, 10],
    ['TO-4: 20 codes of an authenticator in 24 h', budgets.authenticatorCode, 1000, MINUTE, 20],
    ['TO-4, TH-1: 100 codes of an authenticator in a row', budgets.authenticatorCode, 500, 2 * HOUR, 100],
    ['OC-2: 5 tries of a mailed code', budgets.mailedCode, 100, HOUR, 5],
    ['OC-2: 50 mailed codes in 24 h', budgets.mailedCodes, 1000, MINUTE, 50],
    ['RS-14: one mail in 60 s', budgets.mails, 60, SECOND, 1],
    ['RS-14: 5 mails an hour', budgets.mails, 60, MINUTE, 5],
    ['RS-14: 10 mails a day', budgets.mails, 1440, MINUTE, 10],
    ['RC-8: 10 recovery codes an hour', budgets.recoveryCode, 60, MINUTE, 10],
    ['RC-8: and never closed for good', budgets.recoveryCode, 180, MINUTE, 30],
    ['100 failures of one source in 10 min', budgets.source, 599, SECOND, 100],
  ] as const)('%s', (_title, budget, count, every, expected) => {
    expect(admitted(budget, count, every)).toBe(expected)
  })
})
