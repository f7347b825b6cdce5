// How often each relying party is called: one that hangs or fails is left alone for a while, and holds up nobody else.
import type { Chance } from '../domain/ports.ts'
import type { Time } from '../domain/types.ts'

export interface Pace {
  /** Until when a job of this party has to wait; undefined when it may be tried now. */
  wait(party: string): Time | undefined
  /** A call begins. What is answered ends it, and says until when the party rests. */
  begin(party: string): (how: 'well' | 'failed') => Time
}

/** Longer than this is slow. */
const SLOW = 500
/** Calls at once to a party that was slow or failed. */
const AT_ONCE = 2
const NEXT_TURN = 5000
const REST = [2000, 5000, 15_000, 60_000, 300_000]

interface State {
  calls: number
  failures: number
  slow: boolean
  restsUntil: Time
}

export function pace(chance: Chance): Pace {
  const states = new Map<string, State>()
  const of = (party: string): State => states.get(party) ?? { calls: 0, failures: 0, slow: false, restsUntil: 0 }
  return {
    wait(party) {
      const { calls, slow, restsUntil } = of(party)
      const now = chance.now()
      if (restsUntil > now) return restsUntil
      return slow && calls >= AT_ONCE ? now + NEXT_TURN : undefined
    },
    begin(party) {
      const state = of(party)
      states.set(party, state)
      state.calls++
      const begun = chance.now()
      return (how) => {
        const now = chance.now()
        state.calls--
        state.slow = how === 'failed' || now - begun > SLOW
        // Calls that failed together count once.
        if (how === 'well') state.failures = 0
        else if (state.restsUntil <= now) state.failures++
        if (how === 'failed') state.restsUntil = now + (REST[state.failures - 1] ?? 300_000)
        else state.restsUntil = 0
        return state.restsUntil
      }
    },
  }
}
