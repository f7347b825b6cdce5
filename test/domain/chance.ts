// A clock that is turned by hand, and real randomness.
import { randomBytes } from 'node:crypto'
import type { Chance } from '../../src/domain/ports.ts'

export interface TestChance extends Chance {
  /** Moves the clock, backwards too. */
  pass(milliseconds: number): void
  set(at: number): void
}

export function testChance(at = Date.UTC(2026, 10, 1)): TestChance {
  let now = at
  return {
    now: () => now,
    random: (bytes) => randomBytes(bytes),
    pass: (milliseconds) => {
      now += milliseconds
    },
    set: (time) => {
      now = time
    },
  }
}
