// The store in MongoDB: the contract, several processes, a server that goes away, and why it refuses to start.
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import mongoose, { type Connection } from 'mongoose'
import { Unavailable } from '../../src/domain/problems.ts'
import { mongooseStore } from '../../src/stores/mongoose/index.ts'
import { mustBeAtomic } from '../../src/stores/mongoose/race.ts'
import { run } from '../../src/stores/mongoose/run.ts'
import { StoreRefused } from '../../src/stores/refused.ts'
import { hasMongo, mongo, startMongo } from '../mongo.ts'
import { anAccount } from './contract/samples.ts'
import { storeContract } from './contract.ts'
import { processesContract } from './processes.ts'

/** Why it does not start. A store that does start is closed, so that a failing test does not keep the run alive. */
const refusal = (uri: string): Promise<unknown> =>
  mongooseStore(uri).then(
    (store) => store.close(),
    (error: unknown) => error,
  )

/** A database of its own per group of tests, gone afterwards. */
async function database(name: string) {
  const server = await mongo()
  const own = `${name}_${process.pid}`
  return { uri: server.uri(own), drop: () => server.drop(own) }
}

function onAServer(): void {
  storeContract('MongoDB', async () => {
    const { uri, drop } = await database('contract')
    const store = await mongooseStore(uri)
    const close = async () => {
      await store.close()
      await drop()
    }
    return { store, again: () => mongooseStore(uri), close }
  })

  describe('MongoDB and several processes', () => {
    let own: Awaited<ReturnType<typeof database>> | undefined
    beforeAll(async () => {
      own = await database('processes')
    })
    afterAll(() => own?.drop())
    processesContract(() => own?.uri ?? '')
  })

  describe('DB-6: the indexes', () => {
    let connection: Connection | undefined
    let own: Awaited<ReturnType<typeof database>> | undefined
    const accounts = () => connection!.collection('self_service_accounts')
    beforeAll(async () => {
      own = await database('indexes')
      connection = await mongoose.createConnection(own.uri).asPromise()
    })
    afterAll(async () => {
      await connection?.destroy()
      await own?.drop()
    })

    it('are made, and made again when one is missing', async () => {
      for (let start = 0; start < 2; start++) {
        const store = await mongooseStore(own!.uri)
        await store.close()
        const names = (await accounts().indexes()).map((index) => index.name)
        expect(names).toEqual(expect.arrayContaining(['usernameKey', 'outboxed']))
        await accounts().dropIndex('usernameKey')
      }
    })

    it('refuse to start over duplicates', async () => {
      await accounts().insertMany([{ usernameKey: 'same' }, { usernameKey: 'same' }])
      const refused = await refusal(own!.uri)
      expect(refused).toBeInstanceOf(StoreRefused)
      expect(String(refused)).toMatch(/two documents have the same value.*self_service_accounts.usernameKey.*remove/)
      await accounts().deleteMany({})
    })

    it.each([
      ['self_service_accounts', 'usernameKey', {}],
      ['self_service_rows', 'removeAt', { expireAfterSeconds: 7 }],
      ['self_service_flows', 'removeAt', {}],
    ])('refuse to start when one is not what it must be: %s.%s', async (collection, field, options) => {
      const store = await mongooseStore(own!.uri)
      await store.close()
      await connection!.collection(collection).dropIndex(field)
      await connection!.collection(collection).createIndex({ [field]: 1 }, { ...options, name: field })
      const refused = await refusal(own!.uri)
      expect(refused).toBeInstanceOf(StoreRefused)
      expect(String(refused)).toContain(`the index ${collection}.${field} is not what it must be; drop it`)
      await connection!.collection(collection).dropIndex(field)
    })
  })

  it('DB-15: a field that this release does not know is refused, not dropped', async () => {
    const { uri, drop } = await database('strict')
    const store = await mongooseStore(uri)
    const strange = {
      ...anAccount('a'),
      credentials: [{ id: 'c', method: 'm', label: '', addedAt: 1, data: 1, later: 1 }],
    }
    await expect(store.accounts.insert(strange)).rejects.toThrow(/later/)
    await expect(store.accounts.insert({ ...anAccount('a'), later: 1 } as never)).rejects.toThrow(/later/)
    expect(await store.accounts.find('a')).toBeUndefined()
    await store.close()
    await drop()
  })

  it('DB-8: down is an error within about 3 s; back, it works again, with what was acknowledged', async () => {
    const file = join(tmpdir(), `mongo-${process.pid}.data`)
    const first = await startMongo({ file })
    const uri = `mongodb://127.0.0.1:${first.port}/down?directConnection=true`
    const store = await mongooseStore(uri)
    expect(await store.accounts.insert(anAccount('a'))).toBe(true)
    await first.kill()
    const verbs = [
      () => store.ping(),
      () => store.accounts.find('a'),
      () => store.accounts.replace(anAccount('a', { version: 2 }), 1),
      () => store.budgets.admit('a', {}, 1, 'hit'),
    ]
    let second: Awaited<ReturnType<typeof startMongo>> | undefined
    try {
      const begun = performance.now()
      for (const result of await Promise.allSettled(verbs.map((verb) => verb()))) {
        expect(result).toMatchObject({ status: 'rejected', reason: { name: 'Unavailable', code: 'unavailable' } })
      }
      expect(performance.now() - begun).toBeLessThan(4500)
      second = await startMongo({ file, port: first.port })
      expect(await store.accounts.find('a')).toEqual(anAccount('a'))
      expect(await store.accounts.replace(anAccount('a', { version: 2 }), 1)).toBe(true)
      // Hangs instead of refusing: the same answer, as soon.
      process.kill(second.pid, 'SIGSTOP')
      const hung = performance.now()
      await expect(store.accounts.find('a')).rejects.toThrow(Unavailable)
      expect(performance.now() - hung).toBeLessThan(4500)
      process.kill(second.pid, 'SIGCONT')
      expect(await store.accounts.find('a')).toMatchObject({ version: 2 })
    } finally {
      await store.close()
      await second?.kill()
      rmSync(file, { force: true, recursive: true })
    }
  })
}

if (hasMongo()) onAServer()
else describe.skip('MongoDB (none is here)', () => it.todo('keeps the contract of stores'))

describe('CF-1: a MongoDB connection string', () => {
  const h = 'mongodb://user:geheim@127.0.0.1:1'
  it.each([
    [`${h}/db?readPreference=secondary`, /readPreference=secondary is not allowed.*leave it out/],
    [`${h}/db?readPreference=secondaryPreferred`, /readPreference=secondaryPreferred is not allowed/],
    [`${h}/db?readPreference=nearest`, /readPreference=nearest is not allowed/],
    [`${h}/db?readPreference=primaryPreferred`, /readPreference=primaryPreferred is not allowed/],
    [`${h}/db?w=0`, /w=0 is not allowed.*w=majority/],
    [`${h}/db?w=1`, /w=1 is not allowed/],
    [`${h}/db?w=2`, /w=2 is not allowed/],
    [`${h}/db?journal=false`, /journal=false is not allowed/],
    [`${h}/db?retryWrites=false`, /retryWrites=false is not allowed/],
    [`${h}/db?nonsense=1`, /not valid \(option nonsense is not supported\); write mongodb:/],
    ['mongodb://', /not valid/],
    ['mongodb://:geheim@/db', /not valid/],
    [`${h}/db?w=majority&readPreference=primary`, /MongoDB at 127\.0\.0\.1:1 cannot be reached.*check that it runs/],
  ])('%s is refused in one sentence, without the password', async (uri, says) => {
    const refused = await refusal(uri)
    expect(refused).toBeInstanceOf(StoreRefused)
    expect(String(refused)).toMatch(says)
    expect(String(refused)).toContain('store: ')
    expect(String(refused)).not.toContain('geheim')
    expect(String(refused)).not.toContain('\n')
  })
})

describe('a server whose updates are not atomic', () => {
  it('is refused', async () => {
    const document = { _id: 'x', round: 0 }
    const scratch = {
      insertOne: async () => undefined,
      deleteOne: async () => undefined,
      findOneAndUpdate: async () => document,
    }
    const connection = { collection: () => scratch } as unknown as Connection
    await expect(mustBeAtomic(connection, 'here')).rejects.toThrow(/of 8 parallel conditional updates 8 succeeded/)
  })
})

describe('DB-12: what a server raises', () => {
  const { MongoNetworkError, MongoServerError } = mongoose.mongo
  it.each([11_000, 112, 91, 189, 10_107, 13_435, 50, 251, 14_031])('code %i is unavailable', async (code) => {
    const failing = run(async () => {
      throw new MongoServerError({ message: 'refused', code })
    })
    await expect(failing).rejects.toMatchObject({ name: 'Unavailable', code: 'unavailable' })
  })

  it('a lost connection is unavailable; our own mistakes show as what they are', async () => {
    const fails = (error: Error) =>
      run(async () => {
        throw error
      })
    await expect(fails(new MongoNetworkError('gone'))).rejects.toThrow(Unavailable)
    await expect(fails(new TypeError('ours'))).rejects.toThrow(TypeError)
    await expect(fails(new Unavailable('busy', 'x'))).rejects.toMatchObject({ code: 'busy' })
  })
})
