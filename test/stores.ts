// The two stores that journeys and attacks run on: each database is fresh, and can be opened several times, as by several processes.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from '@jest/globals'
import SqliteFile from 'better-sqlite3'
import mongoose from 'mongoose'
import type { Store } from '../src/domain/ports.ts'
import { mongooseStore } from '../src/stores/mongoose/index.ts'
import { sqliteStore } from '../src/stores/sqlite/index.ts'
import { hasMongo, mongo } from './mongo.ts'

export interface Database {
  /** As it stands in a configuration. */
  uri: string
  /** A connection of its own, as another process would have. Closed after the tests, unless the test closes it. */
  open(): Promise<Store>
  /** Everything it holds, as text: what a thief of a backup reads. */
  dump(): Promise<string>
}

interface Kind {
  name: string
  fresh(): Promise<{ uri: string; connect(): Promise<Store>; dump(): Promise<string>; drop(): Promise<void> }>
}

const sqlite: Kind = {
  name: 'SQLite',
  async fresh() {
    const folder = await mkdtemp(join(tmpdir(), 'self-service-'))
    const file = join(folder, 'store.db')
    return {
      uri: `sqlite:${file}`,
      connect: () => sqliteStore(file),
      async dump() {
        const db = new SqliteFile(file, { readonly: true })
        const tables = db.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
        const text = tables.map(({ name }) => JSON.stringify([name, db.prepare(`SELECT * FROM "${name}"`).all()]))
        db.close()
        return text.join('\n')
      },
      drop: () => rm(folder, { recursive: true, force: true }),
    }
  },
}

const mongodb: Kind = {
  name: 'MongoDB',
  async fresh() {
    const server = await mongo()
    const name = `test_${randomBytes(8).toString('hex')}`
    return {
      uri: server.uri(name),
      connect: () => mongooseStore(server.uri(name)),
      async dump() {
        const connection = await mongoose.createConnection(server.uri(name)).asPromise()
        const collections = (await connection.db?.listCollections().toArray()) ?? []
        const text = await Promise.all(
          collections.map(async (one) =>
            JSON.stringify([one.name, await connection.collection(one.name).find().toArray()]),
          ),
        )
        await connection.destroy()
        return text.join('\n')
      },
      drop: () => server.drop(name),
    }
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
        const { uri, connect, dump, drop } = await kind.fresh()
        drops.push(drop)
        return {
          uri,
          dump,
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
