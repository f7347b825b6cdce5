// Writes that share a transaction: one wait for the disk, each with its own outcome, none acknowledged before the commit.
import { describe, expect, it } from '@jest/globals'
import Database from 'better-sqlite3'
import { together } from '../../src/stores/sqlite/together.ts'

function opened() {
  const said: string[] = []
  const db = new Database(':memory:', { verbose: (sql) => said.push(String(sql)) })
  db.exec('CREATE TABLE t (id TEXT PRIMARY KEY) STRICT')
  const insert = db.prepare<[string]>('INSERT INTO t (id) VALUES (?)')
  const write = together(db, async (work) => work())
  said.length = 0
  return {
    db,
    count: (sql: string) => said.filter((one) => one === sql).length,
    add: (id: string) => write(async () => insert.run(id).changes),
    write,
    ids: () =>
      db
        .prepare<[], { id: string }>('SELECT id FROM t ORDER BY id')
        .all()
        .map(({ id }) => id),
  }
}

describe('writes of one turn', () => {
  it('share one transaction, and come one after another into it', async () => {
    const { add, count, ids } = opened()
    await Promise.all(['a', 'b', 'c'].map(add))
    expect(count('COMMIT')).toBe(1)
    await add('d')
    expect(count('COMMIT')).toBe(2)
    expect(ids()).toEqual(['a', 'b', 'c', 'd'])
  })

  it('fail alone: the others are written', async () => {
    const { add, ids } = opened()
    const settled = await Promise.allSettled([add('a'), add('a'), add('b')])
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(ids()).toEqual(['a', 'b'])
  })

  it('DB-2: fail together with their transaction; nothing is acknowledged, nothing stays, and writing goes on', async () => {
    const { db, add, write, ids } = opened()
    // What SQLite itself does when the disk is full.
    const full = write(async () => {
      db.exec('ROLLBACK')
      throw new Error('full')
    })
    const settled = await Promise.allSettled([add('a'), full, add('b')])
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(ids()).toEqual([])
    await add('c')
    expect(ids()).toEqual(['c'])
  })

  it('leave the event loop to others between two shares', async () => {
    const { add, count } = opened()
    const before: number[] = []
    const all = Promise.all(Array.from({ length: 250 }, (_, at) => add(String(at))))
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((done) => setImmediate(done))
      before.push(count('COMMIT'))
    }
    await all
    expect(count('COMMIT')).toBe(3)
    expect(before[0]).toBeLessThan(3)
  })
})
