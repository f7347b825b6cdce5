// A store whose every call is made slow and written down, so that calls that run side by side are told from those in turn.
import { setTimeout as pause } from 'node:timers/promises'
import type { Store } from '../../src/domain/ports.ts'

/** Milliseconds that each call takes more: far above what anything else between two calls takes. */
const SLOW = 8

export interface Call {
  part: string
  verb: string
  began: number
  ended: number
}

export interface Watched {
  store: Store
  calls: readonly Call[]
  /** Resolves when no call is under way: what a page left behind is not to be taken for the next one's. */
  idle(): Promise<void>
  forget(): void
}

const parts = ['accounts', 'flows', 'budgets', 'claims', 'audit', 'mails', 'rows'] as const

/** Called by clocks and queues, which no page waits for. */
const inTheBackground = new Set(['mails.lease', 'mails.remove', 'mails.retry', 'accounts.withOutbox'])

export function watched(store: Store): Watched {
  const calls: Call[] = []
  let running = 0
  const watch = <Part extends object>(part: string, verbs: Part): Part =>
    Object.fromEntries(
      Object.entries(verbs).map(([verb, call]: [string, (...input: never[]) => Promise<unknown>]) => {
        if (inTheBackground.has(`${part}.${verb}`)) return [verb, call]
        const slow = async (...input: never[]): Promise<unknown> => {
          const one: Call = { part, verb, began: performance.now(), ended: Number.POSITIVE_INFINITY }
          calls.push(one)
          running++
          try {
            const answer = await call(...input)
            await pause(SLOW)
            return answer
          } finally {
            one.ended = performance.now()
            running--
          }
        }
        return [verb, slow]
      }),
    ) as Part
  const slowed = Object.fromEntries(parts.map((part) => [part, watch(part, store[part])]))
  return {
    store: { ...store, ...slowed },
    calls,
    async idle() {
      for (let still = 0, looks = 0; still < 3 && looks < 500; looks++) {
        await pause(SLOW / 2)
        still = running === 0 ? still + 1 : 0
      }
    },
    forget() {
      calls.length = 0
    },
  }
}

/** The most calls of which each began after the one before had ended: what a page waits for, one after another. */
export function inTurn(calls: readonly Call[]): number {
  let count = 0
  let free = Number.NEGATIVE_INFINITY
  for (const { began, ended } of calls.toSorted((a, b) => a.ended - b.ended)) {
    if (began < free) continue
    count++
    free = ended
  }
  return count
}
