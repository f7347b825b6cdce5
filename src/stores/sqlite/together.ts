// Writes of one turn of the event loop share one transaction, and so one wait for the disk; other requests go on between.
import type Database from 'better-sqlite3'

interface Waiting {
  verb: () => Promise<unknown>
  durable: boolean
  settle: (result: Promise<unknown>) => void
}

/** One transaction holds the event loop no longer than so many writes and one wait for the disk. */
const SHARE = 100

/**
 * Resolves a verb when its transaction is committed. `durable`: acknowledged means on disk (DB-2); without it a power
 * failure, but no crash of the process, may take the last moments back, and no write waits for the disk. A verb that fails undoes itself
 * and leaves the others alone; a transaction that fails is the failure of all of them. Verbs must do their work at once
 * and may be called again after a failure. `patiently`: runs the transaction again while another process holds the lock.
 */
export function together(
  db: Database.Database,
  patiently: <Result>(work: () => Result) => Promise<Result>,
): <Result>(verb: () => Promise<Result>, durable?: boolean) => Promise<Result> {
  const [begin, commit, rollback] = [db.prepare('BEGIN IMMEDIATE'), db.prepare('COMMIT'), db.prepare('ROLLBACK')]
  const waiting: Waiting[] = []
  let flushing = false
  let syncing: boolean | undefined

  /** Outside a transaction only: within one SQLite ignores it. A write to disk takes everything before it along. */
  function sync(durable: boolean): void {
    if (syncing !== durable) db.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
    syncing = durable
  }

  function share(some: readonly Waiting[]): Promise<unknown>[] {
    sync(some.some(({ durable }) => durable))
    begin.run()
    const results: Promise<unknown>[] = []
    try {
      for (const { verb } of some) {
        const result = verb()
        result.catch(() => undefined)
        results.push(result)
        // A full disk may have ended the transaction: what follows would stand alone, so it is not begun.
        if (!db.inTransaction) break
      }
      commit.run()
      return results
    } catch (error) {
      if (db.inTransaction) rollback.run()
      throw error
    }
  }

  async function flush(): Promise<void> {
    const some = waiting.splice(0, SHARE)
    try {
      const results = await patiently(() => share(some))
      for (const [at, { settle }] of some.entries()) settle(results[at] as Promise<unknown>)
    } catch (error) {
      // Nor would what came meanwhile fare better: nobody waits for one lock after another (DB-8).
      for (const { settle } of [...some, ...waiting.splice(0)]) settle(Promise.reject(error))
    }
    if (waiting.length > 0) setImmediate(() => void flush())
    else flushing = false
  }

  return <Result>(verb: () => Promise<Result>, durable = true) =>
    new Promise<Result>((resolve) => {
      waiting.push({ verb, durable, settle: (result) => resolve(result as Promise<Result>) })
      if (flushing) return
      flushing = true
      setImmediate(() => void flush())
    })
}
