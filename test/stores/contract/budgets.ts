// The contract of budgets: the pure rule of `domain/budget.ts`, held under parallel callers.
import { describe, expect, it } from '@jest/globals'
import {
  type Admission,
  admission,
  type Budget,
  budgets as table,
  remembered,
  type Spent,
  spend,
  unspent,
} from '../../../src/domain/budget.ts'
import type { Store } from '../../../src/domain/ports.ts'
import { die, fresh, type Pair, ROUNDS, race } from './samples.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NOW = 1_700_000_000_000

/** What a store must behave like, one caller at a time. */
function model() {
  let spent: Spent = unspent
  let row: string[] = []
  const without = (hit: string) => spent.hits.filter((one) => one.id !== hit)
  return {
    admit(budget: Budget, at: number, hit: string): Admission {
      const answer = admission(spent, budget, at, hit)
      if (answer.admitted) {
        spent = spend(spent, budget, { at, id: hit })
        // Older ones cannot matter: the row is closed by then, or nothing is counted in a row.
        row = [hit, ...row].slice(0, Math.min(100, budget.streak?.limit ?? remembered(budget)))
      }
      return answer
    },
    refund(hit: string): void {
      spent = { ...spent, hits: without(hit), inRow: spent.inRow - (row.includes(hit) ? 1 : 0) }
      row = row.filter((id) => id !== hit)
    },
    settle(hit: string): void {
      spent = { ...spent, hits: without(hit), inRow: 0 }
      row = []
    },
    clear(): void {
      spent = unspent
      row = []
    },
  }
}

const more: Record<string, Budget> = {
  ...table,
  nothing: {},
  both: {
    windows: [
      { limit: 2, period: 10 },
      { limit: 5, period: 100 },
    ],
    streak: { waits: [{ from: 3, wait: 15 }], limit: 12 },
  },
  steps: {
    streak: {
      waits: [
        { from: 0, wait: 1 },
        { from: 2, wait: 5 },
        { from: 4, wait: 30 },
        { from: 5, wait: 2 },
      ],
      limit: 9,
    },
  },
  repeats: { windows: [{ limit: 4, period: 50 }], remember: 2 },
}

const admitted = (answers: readonly Admission[]): number => answers.filter((answer) => answer.admitted).length

async function take(store: Store, key: string, budget: Budget, at: number, count: number): Promise<Admission[]> {
  const answers: Admission[] = []
  for (let hit = 0; hit < count; hit++) answers.push(await store.budgets.admit(key, budget, at + hit, fresh('hit')))
  return answers
}

export function budgets(at: Pair): void {
  it('TO-4: 20 wrong codes in any 24 hours, wherever the window begins', async () => {
    const key = fresh('totp')
    expect(admitted(await take(at.one, key, table.authenticatorCode, NOW, 25))).toBe(20)
    const refused = await at.two.budgets.admit(key, table.authenticatorCode, NOW + DAY - 1, 'hit')
    expect(refused).toEqual({ admitted: false, why: 'window', until: NOW + DAY })
    // A refusal wrote nothing: the first five hits leave the window, and exactly five more go in.
    expect(admitted(await take(at.two, key, table.authenticatorCode, NOW + DAY + 4, 1))).toBe(1)
    expect(admitted(await take(at.two, key, table.authenticatorCode, NOW + DAY + 4, 1))).toBe(1)
  })

  it('TH-3: waits from the 10th password in a row, doubling to 15 minutes; closed after 100; a success opens', async () => {
    const key = fresh('password')
    const admit = (when: number) => at.one.budgets.admit(key, table.password, when, fresh('guess'))
    let now = NOW
    const waits: number[] = []
    for (let count = 1; count <= 100; count++) {
      const early = await admit(now)
      if (!early.admitted) {
        if (early.until === undefined) throw new Error('a wait has an end')
        waits.push((early.until - now) / MINUTE)
        expect(await admit(early.until - 1)).toEqual({ admitted: false, why: 'wait', until: early.until })
        now = early.until
        expect(await admit(now)).toEqual({ admitted: true, inRow: count })
      }
    }
    expect(waits.slice(0, 6)).toEqual([1, 2, 4, 8, 15, 15])
    expect(waits).toHaveLength(90)
    expect(await admit(now + 365 * DAY)).toEqual({ admitted: false, why: 'streak' })
    await at.two.budgets.settle(key, 'any')
    expect(await admit(now)).toEqual({ admitted: true, inRow: 1 })
  })

  it('a guess that repeats one of the last three is not counted', async () => {
    const key = fresh('repeat')
    const admit = (hit: string) => at.one.budgets.admit(key, table.passwordKnownBrowser, NOW, hit)
    for (const [index, hit] of ['a', 'b', 'c'].entries()) expect(await admit(hit)).toMatchObject({ inRow: index + 1 })
    for (const hit of ['a', 'b', 'c', 'a']) expect(await admit(hit)).toEqual({ admitted: false, why: 'repeat' })
    expect(await admit('d')).toEqual({ admitted: true, inRow: 4 })
    expect(await admit('a')).toEqual({ admitted: true, inRow: 5 })
  })

  it('takes an admitted hit back once, and none that is not there', async () => {
    for (const budget of [table.authenticatorCode, table.mailedCode, table.password]) {
      const key = fresh('refund')
      await at.one.budgets.admit(key, budget, NOW, 'a')
      await at.one.budgets.admit(key, budget, NOW, 'b')
      await at.two.budgets.refund(key, 'a')
      await at.two.budgets.refund(key, 'a')
      await at.two.budgets.refund(key, 'c')
      await at.two.budgets.refund(fresh('nothing'), 'a')
      expect(await at.one.budgets.admit(key, budget, NOW, 'd')).toEqual({ admitted: true, inRow: 2 })
    }
  })

  it('a hit that was judged before a success no longer counts in the row when it is taken back', async () => {
    const key = fresh('late')
    for (const hit of ['a', 'b']) await at.one.budgets.admit(key, table.authenticatorCode, NOW, hit)
    await at.one.budgets.settle(key, 'b')
    expect(await at.one.budgets.admit(key, table.authenticatorCode, NOW, 'c')).toEqual({ admitted: true, inRow: 1 })
    await at.two.budgets.refund(key, 'a')
    expect(await at.one.budgets.admit(key, table.authenticatorCode, NOW, 'd')).toEqual({ admitted: true, inRow: 2 })
  })

  it('a success leaves the windows as they are, but for its own hit', async () => {
    const key = fresh('windows')
    for (let hit = 0; hit < 20; hit++) await at.one.budgets.admit(key, table.authenticatorCode, NOW, `${hit}`)
    await at.one.budgets.settle(key, '19')
    expect(admitted(await take(at.two, key, table.authenticatorCode, NOW, 3))).toBe(1)
    await at.two.budgets.clear(key)
    expect(admitted(await take(at.two, key, table.authenticatorCode, NOW, 3))).toBe(3)
  })

  it.each(Object.entries(more))('answers as admission() does, whatever happened before: %s', async (name, budget) => {
    const throwDie = die(name.length + 42)
    const periods = [...(budget.windows ?? []).map((window) => window.period), 10]
    const waits = (budget.streak?.waits ?? []).map((step) => step.wait)
    const step = Math.min(...periods, ...waits.filter((wait) => wait > 0))
    for (let sequence = 0; sequence < 4; sequence++) {
      const key = fresh(`property-${name}`)
      const expected = model()
      let now = NOW
      for (let turn = 0; turn < 60; turn++) {
        // Mostly a little later, sometimes much later, sometimes another process's clock is behind.
        const leap = throwDie(12)
        now += leap === 0 ? Math.max(...periods, ...waits) : leap === 1 ? -3 : throwDie(Math.max(2, step))
        const hit = `${throwDie(12)}`
        const store = throwDie(2) ? at.one : at.two
        const act = throwDie(20)
        if (act === 0) {
          expected.settle(hit)
          await store.budgets.settle(key, hit)
        } else if (act < 4) {
          expected.refund(hit)
          await store.budgets.refund(key, hit)
        } else if (act === 4 && sequence === 3) {
          expected.clear()
          await store.budgets.clear(key)
        } else {
          const id = budget.remember ? hit : `${hit}.${turn}`
          expect([turn, await store.budgets.admit(key, budget, now, id)]).toEqual([
            turn,
            expected.admit(budget, now, id),
          ])
        }
      }
    }
  })

  describe.each([50, 100])('TO-5, TH-7: 20 rounds of %i callers, never more than the budget', (callers) => {
    it.each([
      ['a window', table.recoveryCode, 10],
      ['a count in a row', table.mailedCode, 5],
      ['the narrowest of three windows', table.mails, 1],
      ['a wait', table.password, 10],
    ] as const)('%s', async (_, budget, limit) => {
      for (const _ of ROUNDS) {
        const key = fresh('race')
        const answers = await race(callers, at, (store, caller) => store.budgets.admit(key, budget, NOW, `${caller}`))
        const rows = answers.flatMap((answer) => (answer.admitted ? [answer.inRow] : []))
        expect(rows.sort((a, b) => a - b)).toEqual(Array.from({ length: limit }, (_, index) => index + 1))
      }
    })
  })

  it('taken back by many at once, a hit is given back once', async () => {
    const key = fresh('refunds')
    for (const hit of ['a', 'b', 'c']) await at.one.budgets.admit(key, table.mailedCode, NOW, hit)
    await race(50, at, (store) => store.budgets.refund(key, 'b'))
    expect(await at.two.budgets.admit(key, table.mailedCode, NOW, 'd')).toEqual({ admitted: true, inRow: 3 })
  })
}
