// Lets so many hashes run at once, so many wait, and turns the rest away at once (PW-9).
import { Unavailable } from '../domain/problems.ts'

export interface Gate {
  /** Runs `work` when it is its turn, first come first served. Rejects with `Unavailable('busy')` when too many wait. */
  run<T>(work: () => Promise<T>): Promise<T>
  running(): number
  waiting(): number
}

/** A hash at cost 12 takes about 0.2 s, so 24 behind one core wait about 5 s: longer than that nobody waits for a page. */
const WAITING_PER_CORE = 24
/** What a full queue needs to drain, in seconds. */
const RETRY_AFTER = 5

/**
 * As many as there are cores, yet one thread of libuv's pool stays free for files and DNS, which would wait for seconds
 * behind hashes. `threads`: `UV_THREADPOOL_SIZE`; where there are four cores or more it should be raised above them.
 */
export const hashesAtOnce = (cores: number, threads = 4): number => Math.max(1, Math.min(cores, threads - 1))

/** `atOnce`: see `hashesAtOnce`. `queue`: how many may wait. */
export function createGate({ atOnce, queue = atOnce * WAITING_PER_CORE }: { atOnce: number; queue?: number }): Gate {
  const waiting: (() => void)[] = []
  let running = 0

  const leave = (): void => {
    const next = waiting.shift()
    // The place is handed on, so nobody who comes in between can take it.
    if (next) next()
    else running--
  }

  async function enter(): Promise<void> {
    if (running < atOnce) {
      running++
      return
    }
    if (waiting.length >= queue) {
      throw new Unavailable('busy', 'too many passwords are being checked', { retryAfter: RETRY_AFTER })
    }
    await new Promise<void>((resolve) => waiting.push(resolve))
  }

  return {
    async run(work) {
      await enter()
      try {
        return await work()
      } finally {
        leave()
      }
    },
    running: () => running,
    waiting: () => waiting.length,
  }
}
