// The store in one file: the contract.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteStore } from '../../src/stores/sqlite/index.ts'
import { storeContract } from './contract.ts'

storeContract('SQLite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'store-'))
  const file = join(directory, 'test.db')
  const options = { durable: false }
  const store = await sqliteStore(file, options)
  return {
    store,
    again: () => sqliteStore(file, options),
    close: async () => {
      await store.close()
      rmSync(directory, { recursive: true })
    },
  }
})
