// The switch that an administrator toggles: a file edited while the server runs counts for the next request, in every process, and is audited once.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { eachStore } from '../stores.ts'
import { type World, world } from '../world.ts'
import { at, password, returned, wizard } from './steps.ts'

eachStore('policy toggle', (database) => {
  let folder: string
  let file: string
  let refused: string[]
  const worlds: World[] = []
  const write = (required: boolean | 'maybe', more = '') =>
    writeFile(file, `registration: { required: ${required} }\n${more}`)

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'policy-'))
    file = join(folder, 'policy.yaml')
    refused = []
  })
  afterEach(async () => {
    for (const w of worlds.splice(0)) await w.close()
    await rm(folder, { recursive: true })
  })

  async function open(processes = 1): Promise<World> {
    const data = await database()
    const peers = []
    for (let count = 1; count < processes; count++) peers.push(await data.open())
    const log = {
      info: () => undefined,
      warn: () => undefined,
      error: (facts: object) => void refused.push(JSON.stringify(facts)),
    }
    const w = await world({ store: await data.open(), peers, options: { policy: file, log } })
    worlds.push(w)
    return w
  }
  const changes = async (w: World) =>
    (await w.store.audit.query({ kind: 'policy.changed' }, 100)).map(({ actor, detail }) => ({
      actor,
      changes: detail?.['changes'],
    }))

  it('false: the next sign-in is not interrupted; true again: it is', async () => {
    await write(true)
    const w = await open()
    await w.add('user')
    await wizard(w, w.browser(), 'user', 'registration')
    await write(false)
    const free = w.browser()
    expect(returned(await password(w, free, 'user'))).toHaveProperty('code')
    await write(true)
    await wizard(w, w.browser(), 'user', 'registration')
    // The session that was made meanwhile is stopped as well: the second lock reads the account.
    await free.open(w.authorize())
    expect(at(free)).toBe('password')
    expect(returned(await w.browser().open(w.authorize({ prompt: 'none' })))).toMatchObject({ error: 'login_required' })
    expect(returned(await free.open(w.authorize({ prompt: 'none' })))).toMatchObject({ error: 'interaction_required' })
    expect(await changes(w)).toEqual([
      { actor: 'policy', changes: [{ option: 'registration.required', from: true, to: false }] },
      { actor: 'policy', changes: [{ option: 'registration.required', from: false, to: true }] },
    ])
  })

  it('EN-4: a flow under way follows the edit at its next page', async () => {
    await write(true)
    const w = await open()
    await w.add('walker')
    const b = w.browser()
    await wizard(w, b, 'walker', 'registration')
    await write(false)
    expect(returned(await b.submit({ action: 'continue' }))).toHaveProperty('code')
  })

  it('CF-1: a bad edit is refused once, with its line, and the old policy stays', async () => {
    await write(true)
    const w = await open()
    await w.add('safe')
    await write('maybe')
    await wizard(w, w.browser(), 'safe', 'registration')
    expect(refused).toHaveLength(1)
    expect(refused[0]).toContain('policy.yaml:1')
    expect(refused[0]).toContain('registration.required')
    expect(await changes(w)).toEqual([])
    await write(false)
    expect(returned(await password(w, w.browser(), 'safe'))).toHaveProperty('code')
  })

  it('LG-2: two processes on one store record one change, with old and new value', async () => {
    await write(true)
    const w = await open(2)
    await w.add('pair')
    await write(false, 'helpdesk: help@example.org\n')
    for (let round = 0; round < 4; round++) await w.browser().open(w.authorize())
    expect(returned(await password(w, w.browser(), 'pair'))).toHaveProperty('code')
    const recorded = await changes(w)
    expect(recorded).toHaveLength(1)
    expect(recorded[0]).toMatchObject({
      changes: expect.arrayContaining([
        { option: 'registration.required', from: true, to: false },
        { option: 'helpdesk', from: null, to: 'help@example.org' },
      ]),
    })
  })

  it('a change that was made while nothing ran is recorded at the next start', async () => {
    await write(true)
    const data = await database()
    const first = await world({ store: await data.open(), options: { policy: file } })
    await first.close()
    await write(false)
    const second = await world({ store: await data.open(), options: { policy: file } })
    worlds.push(second)
    expect(await changes(second)).toEqual([
      { actor: 'policy', changes: [{ option: 'registration.required', from: true, to: false }] },
    ])
  })
})
