// What every store must do. A new store passes when `storeContract` passes on it, with two connections to the same data.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Unavailable } from '../../src/domain/problems.ts'
import { budgets } from './contract/budgets.ts'
import { documents } from './contract/documents.ts'
import { queues } from './contract/queues.ts'
import { rows } from './contract/rows.ts'
import type { Opened, Pair } from './contract/samples.ts'
import { tidies } from './contract/tidy.ts'
import { values } from './contract/values.ts'

export type { Opened } from './contract/samples.ts'

export function storeContract(name: string, open: () => Promise<Opened>): void {
  describe(`${name} keeps the contract of stores`, () => {
    let opened: Opened | undefined
    let second: Pair['two'] | undefined
    beforeAll(async () => {
      opened = await open()
      second = await opened.again()
    })
    afterAll(async () => {
      await second?.close()
      await opened?.close()
    })
    const there = <Thing>(thing: Thing | undefined): Thing => {
      if (thing === undefined) throw new Error('the store was not opened')
      return thing
    }
    const at: Pair = {
      get one() {
        return there(opened).store
      },
      get two() {
        return there(second)
      },
    }

    documents(at)
    describe('budgets', () => budgets(at))
    queues(at)
    describe('rows', () => rows(at))
    describe('values', () => values(at))
    describe('tidy', () => tidies(at))

    it('DB-8: answers a ping while it is open; closed, every verb is unavailable', async () => {
      const store = await there(opened).again()
      await expect(store.ping()).resolves.toBeUndefined()
      await store.close()
      await store.close()
      await expect(store.ping()).rejects.toThrow(Unavailable)
      await expect(store.accounts.find('x')).rejects.toThrow(Unavailable)
      await expect(store.budgets.admit('x', {}, 1, 'x')).rejects.toThrow(Unavailable)
      await expect(store.claims.claim('x', 'x')).rejects.toThrow(Unavailable)
      await expect(store.rows.consume('Session', 'x', 1)).rejects.toThrow(Unavailable)
    })
  })
}
