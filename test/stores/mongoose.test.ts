// The store in MongoDB: the contract.
import { describe, it } from '@jest/globals'
import { mongooseStore } from '../../src/stores/mongoose/index.ts'
import { hasMongo, mongo } from '../mongo.ts'
import { storeContract } from './contract.ts'

if (hasMongo()) {
  storeContract('MongoDB', async () => {
    const server = await mongo()
    const database = `contract_${process.pid}`
    const store = await mongooseStore(server.uri(database))
    return {
      store,
      again: () => mongooseStore(server.uri(database)),
      close: async () => {
        await store.close()
        await server.drop(database)
      },
    }
  })
} else describe.skip('MongoDB (none is here)', () => it.todo('keeps the contract of stores'))
