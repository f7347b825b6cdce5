// Opens the file, and waits for locks without blocking the event loop.
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { Unavailable } from '../../domain/problems.ts'
import { StoreRefused, reason } from '../refused.ts'
import type { Run } from '../shield.ts'
import { migrate } from './schema.ts'
import { together } from './together.ts'

export interface SqliteOptions {
  /** How often a locked file is tried again, with growing pauses of 1 to 50 ms; never for longer than 2.5 s. */
  tries?: number
  /** False leaves the last moments before a power failure to chance (not those before a crash). For tests. */
  durable?: boolean
}

/** How long one try may hold the event loop, in ms. */
const BUSY_TIMEOUT = 5

/** Locked means an error within about this long, in ms, however slow the machine is (DB-8). */
const PATIENCE = 2500

// By its code, not its class: the addon keeps the class of whoever loaded it first in the process.
const codeOf = (error: unknown): string => {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : ''
}

/** `SQLITE_BUSY` with its extended codes: another process holds the lock, nothing was written. */
const locked = (error: unknown): boolean => codeOf(error).startsWith('SQLITE_BUSY')

async function patiently<Result>(tries: number, work: () => Result | Promise<Result>): Promise<Result> {
  const giveUp = performance.now() + PATIENCE
  for (let tried = 1; ; tried++) {
    try {
      return await work()
    } catch (error) {
      if (!locked(error) || tried >= tries || performance.now() > giveUp) throw error
    }
    await pause(Math.min(50, 2 ** Math.min(tried - 1, 6)))
  }
}

/** They wait for no disk, so they run at once; every other verb is a write. */
const reading = new Set(['find', 'findByUsernameKey', 'findBy', 'older', 'page', 'withOutbox', 'query', 'size', 'ping'])

/**
 * What may be lost with the last moments before a power failure, never by a crash of the process: a flow starts again, a
 * count of guesses or a saved session is some milliseconds older. What takes something away (consume, destroy, revoke) waits.
 */
const fleeting = new Set([
  'flows.save',
  'flows.remove',
  'budgets.admit',
  'budgets.refund',
  'budgets.settle',
  'rows.upsert',
])

export interface Runner {
  (part: string): Run
}

/** Runs a verb: waits for locks, and turns what the file, the disk or a closed store raises into `Unavailable`. */
export function runner(db: Database.Database, { tries = 50, durable = true }: SqliteOptions = {}): Runner {
  const write = together(db, (work) => patiently(tries, work))
  return (part) =>
    async (verb, name = '') => {
      try {
        if (reading.has(name)) return await patiently(tries, verb)
        return await write(verb, durable && !fleeting.has(`${part}.${name}`))
      } catch (error) {
        if (locked(error))
          throw new Unavailable('unavailable', 'the store is locked by another process', { cause: error })
        if (codeOf(error)) throw new Unavailable('unavailable', `the store failed: ${reason(error)}`, { cause: error })
        if (!db.open) throw new Unavailable('unavailable', 'the store is closed', { cause: error })
        throw error
      }
    }
}

/** Only the owner may read it: it holds password hashes (SQLite gives its -wal and -shm files the same mode). */
function ownersOnly(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
}

/** WAL: readers and one writer of several processes do not block each other. */
export async function openDatabase(file: string, options: SqliteOptions): Promise<Database.Database> {
  let db: Database.Database | undefined
  try {
    if (file !== ':memory:') ownersOnly(file)
    const opened = new Database(file, { timeout: BUSY_TIMEOUT })
    db = opened
    await patiently(options.tries ?? 50, () => {
      opened.pragma('journal_mode = WAL')
      migrate(opened, file)
    })
    return opened
  } catch (error) {
    db?.close()
    if (error instanceof StoreRefused) throw error
    if (locked(error))
      throw new StoreRefused(`"${file}" is locked by another process; stop it, or name another file`, error)
    if (codeOf(error) === 'SQLITE_NOTADB')
      throw new StoreRefused(`"${file}" is not an SQLite file; name another`, error)
    const fix = 'name a file in a directory that this program may write to'
    throw new StoreRefused(`cannot open "${file}" (${reason(error)}); ${fix}`, error)
  }
}
