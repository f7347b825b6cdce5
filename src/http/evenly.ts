// Answers that leave at even moments: what a name leads to is not told by when (EM-2).
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'

/** Milliseconds between two such moments: several times what a page of a reset takes, too little for anybody to wait. */
const BEAT = 10
/** Timers know whole milliseconds, and fire late: the rest is waited for turn by turn. */
const COARSE = 2

/** The first moment that is a whole number of beats after `began`, and not before `now`. Milliseconds. */
export const evenMoment = (began: number, now: number): number => began + BEAT * Math.ceil((now - began) / BEAT)

/** Resolves a whole number of beats after `began` (of `performance.now()`). Nothing else waits meanwhile. */
export async function evenly(began: number): Promise<void> {
  const until = evenMoment(began, performance.now())
  const early = Math.floor(until - performance.now()) - COARSE
  if (early > 0) await pause(early)
  while (performance.now() < until) await nextTurn()
}
