// How often something may be guessed or asked for: the rule, pure, and every budget of the product in one table.
import type { Time } from './types.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** At most `limit` hits within any `period`. */
export interface Window {
  limit: number
  period: number
}

/** What is counted in a row, until a success: waits that begin at a count, and a count at which it closes. */
export interface Streak {
  /** Ascending. From the `from`-th hit in a row on, the next one waits `wait`. */
  waits: readonly { from: number; wait: number }[]
  limit: number
  /** A store may forget the count this long after the last hit: what is guessed has expired by then. Absent: never. */
  forgetAfter?: number
}

export interface Budget {
  windows?: readonly Window[]
  streak?: Streak
  /** Keeps the ids of that many latest hits: a hit with one of them is the same guess again, answered `repeat` and not counted. */
  remember?: number
}

/** `inRow` counts this hit. `until` is when asking again makes sense; absent when waiting does not help. */
export type Admission =
  | { admitted: true; inRow: number }
  | { admitted: false; why: 'window' | 'wait' | 'streak' | 'repeat'; until?: Time }

/** What a store keeps of a budget: hits newest first (no more than the widest window needs), and the count in a row. */
export interface Spent {
  hits: readonly { at: Time; id: string }[]
  inRow: number
  lastAt: Time
}

export const unspent: Spent = { hits: [], inRow: 0, lastAt: 0 }

/** How many hits a store has to remember for a budget. */
export const remembered = (budget: Budget): number =>
  Math.max(0, budget.remember ?? 0, ...(budget.windows ?? []).map((window) => window.limit))

/** The wait that applies after `inRow` hits in a row. */
export const waitAfter = (streak: Streak, inRow: number): number =>
  streak.waits.findLast((step) => inRow >= step.from)?.wait ?? 0

/** Judges one hit. A store applies the same rule as one conditional write; the contract suite holds them together. */
export function admission(spent: Spent, budget: Budget, at: Time, hit: string): Admission {
  const { streak, windows = [], remember = 0 } = budget
  if (spent.hits.slice(0, remember).some((earlier) => earlier.id === hit)) return { admitted: false, why: 'repeat' }
  if (streak && spent.inRow >= streak.limit) return { admitted: false, why: 'streak' }
  if (streak) {
    const wait = waitAfter(streak, spent.inRow)
    const until = spent.lastAt + wait
    // Without a wait nothing is early: `at` may lie a little before `lastAt`, by parallel requests or another clock.
    if (spent.inRow > 0 && wait > 0 && at < until) return { admitted: false, why: 'wait', until }
  }
  const full = windows.map((window) => (spent.hits[window.limit - 1]?.at ?? Number.NEGATIVE_INFINITY) + window.period)
  const until = Math.max(Number.NEGATIVE_INFINITY, ...full)
  if (at < until) return { admitted: false, why: 'window', until }
  return { admitted: true, inRow: spent.inRow + 1 }
}

/** What stands after an admitted hit. */
export const spend = (spent: Spent, budget: Budget, hit: { at: Time; id: string }): Spent => ({
  hits: [hit, ...spent.hits].slice(0, remembered(budget)),
  inRow: spent.inRow + 1,
  lastAt: hit.at,
})

/** 60 s from the 10th failure in a row, doubling, at most 15 minutes. NIST SP 800-63B-4 3.2.2: 100 in a row at most. */
const passwordWaits = [
  { from: 10, wait: MINUTE },
  { from: 11, wait: 2 * MINUTE },
  { from: 12, wait: 4 * MINUTE },
  { from: 13, wait: 8 * MINUTE },
  { from: 14, wait: 15 * MINUTE },
]

/** Every budget, as in the table "Guessing" of the README. Keys name what is guessed and whose it is. */
export const budgets = {
  password: { streak: { waits: passwordWaits, limit: 100 }, remember: 3 },
  /** Forgotten after 90 days, so that made-up names do not pile up in the store. */
  passwordUnknownName: { streak: { waits: passwordWaits, limit: 100, forgetAfter: 90 * DAY }, remember: 3 },
  passwordKnownBrowser: { streak: { waits: [], limit: 10 }, remember: 3 },
  authenticatorCode: { windows: [{ limit: 20, period: DAY }], streak: { waits: [], limit: 100 } },
  /** With the name alone: it closes a gate for the rest of the day, and disables nothing (anybody may know a name). */
  authenticatorCodeInReset: { windows: [{ limit: 10, period: DAY }] },
  mailedCode: { streak: { waits: [], limit: 5, forgetAfter: DAY } },
  mailedCodes: { windows: [{ limit: 50, period: DAY }] },
  mails: {
    windows: [
      { limit: 1, period: MINUTE },
      { limit: 5, period: HOUR },
      { limit: 10, period: DAY },
    ],
  },
  recoveryCode: { windows: [{ limit: 10, period: HOUR }] },
  /** Resets begun from one source address (RS-14). */
  resetsAsked: { windows: [{ limit: 20, period: HOUR }] },
  source: { windows: [{ limit: 100, period: 10 * MINUTE }] },
} as const satisfies Record<string, Budget>
