// The store in one file: the contract, several processes, and why it refuses to open.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import Database from 'better-sqlite3'
import { Unavailable } from '../../src/domain/problems.ts'
import { StoreRefused } from '../../src/stores/refused.ts'
import { sqliteStore } from '../../src/stores/sqlite/index.ts'
import { anAccount } from './contract/samples.ts'
import { storeContract } from './contract.ts'
import { processesContract } from './processes.ts'

const directory = mkdtempSync(join(tmpdir(), 'store-'))
const at = (name: string): string => join(directory, name)
afterAll(() => rmSync(directory, { recursive: true }))

storeContract('SQLite', async () => {
  const file = at('contract.db')
  const options = { durable: false }
  const store = await sqliteStore(file, options)
  return { store, again: () => sqliteStore(file, options), close: () => store.close() }
})

describe('SQLite and several processes', () => processesContract(() => `sqlite:${at('processes.db')}`))

describe('the SQLite file', () => {
  it('is its owner’s alone, with what stands beside it, even if it was not', async () => {
    writeFileSync(at('mode.db'), '', { mode: 0o644 })
    const store = await sqliteStore(at('mode.db'))
    await store.accounts.insert(anAccount('a'))
    for (const end of ['', '-wal', '-shm']) expect(statSync(at(`mode.db${end}`)).mode & 0o777).toBe(0o600)
    await store.close()
  })

  it('is made with its directory, keeps its data, and may be memory', async () => {
    const file = at('new/deep/store.db')
    const first = await sqliteStore(file)
    await first.accounts.insert(anAccount('a'))
    await first.close()
    expect(statSync(at('new/deep')).mode & 0o777).toBe(0o700)
    const second = await sqliteStore(file)
    expect(await second.accounts.find('a')).toEqual(anAccount('a'))
    await second.close()
    const memory = await sqliteStore(':memory:')
    expect(await memory.accounts.find('a')).toBeUndefined()
    await memory.close()
  })

  it('DB-15: a file of the first release is brought up to date, and keeps what it holds', async () => {
    const file = at('first.db')
    const store = await sqliteStore(file)
    await store.claims.claim('data-keys', 'sealed')
    await store.close()
    const db = new Database(file)
    db.exec('DROP INDEX claims_remove_at; ALTER TABLE claims DROP COLUMN remove_at; DROP TABLE logouts')
    db.pragma('user_version = 1')
    db.close()
    const later = await sqliteStore(file)
    expect(await later.claims.claim('data-keys', 'other')).toBe('sealed')
    await later.claims.claim('ends', 'x', 1000)
    await later.tidy(Date.now())
    expect([await later.claims.find('data-keys'), await later.claims.find('ends')]).toEqual(['sealed', undefined])
    await later.close()
  })

  const broken: Record<string, { make: (file: string) => void; says: RegExp }> = {
    'of a newer release (DB-15)': {
      make(file) {
        const db = new Database(file)
        db.pragma('application_id = 0x4f535356')
        db.pragma('user_version = 99')
        db.close()
      },
      says: /newer release.*schema 99.*run that release/,
    },
    'of another program': {
      make(file) {
        const db = new Database(file)
        db.exec('CREATE TABLE theirs (a)')
        db.close()
      },
      says: /another program; name a file of its own/,
    },
    'that is no database': {
      make: (file) => writeFileSync(file, 'x'.repeat(5000)),
      says: /not an SQLite file; name another/,
    },
  }
  it.each(Object.entries(broken))('is refused, and left alone: one %s', async (name, { make, says }) => {
    const file = at(`${name.length}.db`)
    make(file)
    const size = statSync(file).size
    const refused = await sqliteStore(file).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(StoreRefused)
    expect(String(refused)).toMatch(says)
    expect(String(refused)).toContain('store: ')
    expect(statSync(file).size).toBe(size)
  })

  it('is refused where it cannot be made', async () => {
    writeFileSync(at('plain'), '')
    await expect(sqliteStore(at('plain/store.db'))).rejects.toThrow(/store: cannot open .*; name a file in a directory/)
  })

  it('DB-8, DB-9: locked by another process it is unavailable after a bounded wait, with the event loop free', async () => {
    const store = await sqliteStore(at('locked.db'), { tries: 12 })
    const other = new Database(at('locked.db'))
    other.exec('BEGIN IMMEDIATE')
    let turns = 0
    const turning = setInterval(() => (turns += 1), 1)
    const refused = await store.accounts.insert(anAccount('a')).catch((error: unknown) => error)
    clearInterval(turning)
    expect(refused).toBeInstanceOf(Unavailable)
    expect(refused).toMatchObject({ code: 'unavailable' })
    expect(turns).toBeGreaterThanOrEqual(10)
    // Readers are not in the way of a writer, and when it is done, writing goes on.
    expect(await store.accounts.find('a')).toBeUndefined()
    const waiting = store.accounts.insert(anAccount('a'))
    other.exec('ROLLBACK')
    other.close()
    expect(await waiting).toBe(true)
    await store.close()
  })

  it('DB-12: a write that the file refuses is unavailable, and nothing is written', async () => {
    const store = await sqliteStore(at('full.db'))
    await store.accounts.insert(anAccount('a'))
    const other = new Database(at('full.db'))
    other.exec(
      "CREATE TRIGGER full BEFORE UPDATE ON accounts BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    await expect(store.accounts.replace(anAccount('a', { version: 2 }), 1)).rejects.toMatchObject({
      code: 'unavailable',
    })
    other.exec('DROP TRIGGER full')
    other.close()
    expect(await store.accounts.find('a')).toEqual(anAccount('a'))
    await store.close()
  })
})
