// The two stores that journeys and attacks run on: each database is fresh, and can be opened several times, as by several processes.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from '@jest/globals'
import type { Store } from '../src/domain/ports.ts'
import { mongooseStore } from '../src/stores/mongoose/index.ts'
import { sqliteStore } from '../src/stores/sqlite/index.ts'
import { hasMongo, mongo } from './mongo.ts'

export interface Database {
  /** A connection of its own, as another process would have. Closed after the tests, unless the test closes it. */
  open(): Promise<Store>
}

interface Kind {
  name: string
  fresh(): Promise<{ connect(): Promise<Store>; drop(): Promise<void> }>
}

const sqlite: Kind = {
  name: 'SQLite',
  async fresh() {
    const folder = await mkdtemp(join(tmpdir(), 'self-service-'))
    return {
      connect: () => sqliteStore(join(folder, 'store.db')),
      drop: () => rm(folder, { recursive: true, force: true }),
    }
  },
}

const mongodb: Kind = {
  name: 'MongoDB',
  async fresh() {
    const server = await mongo()
    const name = `test_${randomBytes(8).toString('hex')}`
    return { connect: () => mongooseStore(server.uri(name)), drop: () => server.drop(name) }
  },
}

/** Runs the tests in `body` once on SQLite and once on MongoDB; `database()` is a fresh one at each call. */
export function eachStore(title: string, body: (database: () => Promise<Database>, name: string) => void): void {
  for (const kind of [sqlite, mongodb]) {
    const suite = kind === mongodb && !hasMongo() ? describe.skip : describe
    suite(`${title} (${kind.name})`, () => {
      const opened: Store[] = []
      const drops: (() => Promise<void>)[] = []
      afterAll(async () => {
        for (const store of opened) await store.close().catch(() => undefined)
        for (const drop of drops) await drop()
      })
      body(async () => {
        const { connect, drop } = await kind.fresh()
        drops.push(drop)
        return {
          async open() {
            const store = await connect()
            opened.push(store)
            return store
          },
        }
      }, kind.name)
    })
  }
}
