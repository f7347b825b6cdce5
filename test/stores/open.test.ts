// Opening a store by its address.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { openStore } from '../../src/stores/open.ts'
import { StoreRefused } from '../../src/stores/refused.ts'
import { hasMongo, mongo } from '../mongo.ts'
import { anAccount } from './contract/samples.ts'

describe('openStore', () => {
  it('opens a file and memory', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'open-'))
    for (const uri of [`sqlite:${join(directory, 'a b.db')}`, 'sqlite::memory:']) {
      const store = await openStore(uri)
      expect(await store.accounts.insert(anAccount('a'))).toBe(true)
      await store.close()
    }
    rmSync(directory, { recursive: true })
  })

  const onMongo = hasMongo() ? it : it.skip
  onMongo('opens MongoDB', async () => {
    const server = await mongo()
    const store = await openStore(server.uri(`open_${process.pid}`))
    expect(await store.accounts.insert(anAccount('a'))).toBe(true)
    await store.close()
    await server.drop(`open_${process.pid}`)
  })

  it.each([
    '',
    'sqlite:',
    './file.db',
    'file:./x.db',
    'postgres://u:geheim@h/db',
    'MONGO',
    'mongodb:/host',
    ' sqlite:x',
  ])('CF-1: refuses "%s", names the option and the fix, and repeats no password', async (uri) => {
    const refused = await openStore(uri).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(StoreRefused)
    expect(refused).toMatchObject({ option: 'store' })
    expect(String(refused)).toMatch(/store: .*; write mongodb:\/\/HOST\/DATABASE, .* or sqlite:/)
    expect(String(refused)).not.toContain('geheim')
  })
})
