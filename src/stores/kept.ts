// What a store keeps of a budget, beside what the rule needs: which hits can still be taken back, and until when it matters.
import { type Budget, remembered, type Spent, spend, unspent } from '../domain/budget.ts'
import type { Time } from '../domain/types.ts'

/** How long a store keeps what has expired (ASVS 14.2.7). */
export const DAY = 86_400_000

/** When a mail that was removed is due: never. Its id stays until it expires, so that it is not queued again. */
export const NEVER = Number.MAX_SAFE_INTEGER

/** `row`: ids of the hits that `inRow` counts, newest first, so that each is taken back at most once. */
export interface Kept extends Spent {
  row: readonly string[]
}

export const nothing: Kept = { ...unspent, row: [] }

/** How many ids of the row are worth remembering. */
export const rowLength = (budget: Budget): number => Math.min(100, budget.streak?.limit ?? remembered(budget))

export const afterHit = (kept: Kept, budget: Budget, hit: { at: Time; id: string }): Kept => ({
  ...spend(kept, budget, hit),
  row: [hit.id, ...kept.row].slice(0, rowLength(budget)),
})

/** A hit of an earlier row (a success came in between) leaves the windows only. */
export const afterRefund = (kept: Kept, hit: string): Kept => ({
  hits: kept.hits.filter((one) => one.id !== hit),
  row: kept.row.filter((id) => id !== hit),
  inRow: kept.row.includes(hit) ? Math.max(0, kept.inRow - 1) : kept.inRow,
  lastAt: kept.lastAt,
})

export const afterSuccess = (kept: Kept, hit: string): Kept => ({
  hits: kept.hits.filter((one) => one.id !== hit),
  row: [],
  inRow: 0,
  lastAt: kept.lastAt,
})

/** Until when a hit at `at` matters to the windows and waits. */
export function mattersUntil(budget: Budget, at: Time): Time {
  const periods = (budget.windows ?? []).map((window) => window.period)
  const waits = (budget.streak?.waits ?? []).map((step) => step.wait)
  return at + Math.max(0, ...periods, ...waits)
}

/**
 * When the record may be deleted whatever it says. Never while it counts in a row without `forgetAfter`: 100 guesses in a
 * row are 100, however slowly they come (NIST SP 800-63B-4 3.2.2).
 */
export function removableAt(budget: Budget, at: Time): Time | undefined {
  const forgetAfter = budget.streak ? budget.streak.forgetAfter : 0
  return forgetAfter === undefined ? undefined : Math.max(mattersUntil(budget, at), at + forgetAfter) + DAY
}
