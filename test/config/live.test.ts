// Policy that follows its file: an edit is seen at the next look, a bad one never takes effect.
import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type LivePolicy, livePolicy, type PolicyChange } from '../../src/config/live.ts'
import { traits } from './traits.ts'

const base = 'issuer: http://localhost:3000\nmail: { url: smtp://u:hunter2@m.example, from: a@b.example }\n'
const required = (value: boolean) => `${base}registration: { required: ${value} }\n`

let folder: string
let file: string
let changes: PolicyChange[]
let refused: (readonly string[])[]
let restarts: (readonly string[])[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'live-'))
  file = join(folder, 'policy.yaml')
  changes = []
  refused = []
  restarts = []
})
afterEach(() => rm(folder, { recursive: true }))

async function start(text: string): Promise<LivePolicy> {
  await writeFile(file, text)
  return livePolicy(file, {
    methods: traits,
    env: {},
    settle: 1,
    onChange: (change) => changes.push(change),
    onRefused: (sentences) => refused.push(sentences),
    onRestart: (options) => restarts.push(options),
  })
}

async function edit(live: LivePolicy, text: string): Promise<void> {
  await writeFile(file, text)
  await live.refresh()
}

describe('live policy', () => {
  it('an edit counts at the next look, with old and new value', async () => {
    const live = await start(required(true))
    await live.refresh()
    await edit(live, required(false))
    expect(live.current().registration.required).toBe(false)
    await edit(live, required(true))
    expect(live.current().registration.required).toBe(true)
    expect(changes.map((change) => change.changes)).toEqual([
      [{ path: 'registration.required', from: true, to: false }],
      [{ path: 'registration.required', from: false, to: true }],
    ])
    expect(changes[0]?.digest).not.toBe(changes[1]?.digest)
    expect(changes[0]?.policy.registration.required).toBe(false)
  })

  it('LG-2: two processes see one change under one digest', async () => {
    const [one, two] = [await start(required(true)), await start(required(true))]
    await writeFile(file, `# another order\nregistration: { required: false }\n${base}`)
    await Promise.all([one.refresh(), two.refresh()])
    expect(changes).toHaveLength(2)
    expect(changes[0]?.digest).toBe(changes[1]?.digest)
  })

  it('parallel looks read once', async () => {
    const live = await start(required(true))
    await writeFile(file, required(false))
    await Promise.all(Array.from({ length: 20 }, () => live.refresh()))
    expect(changes).toHaveLength(1)
  })

  it('CF-1: a bad edit keeps the old policy and is reported once, with its line', async () => {
    const live = await start(required(false))
    await edit(live, `${base}registration: { scope: al }\n`)
    await live.refresh()
    await edit(live, `${base}registration: { scope: al }\n# still\n`)
    expect(live.current().registration.required).toBe(false)
    expect(refused).toEqual([
      [`${file}:3: registration.scope must be one of none, selected, all (found "al"): did you mean all?`],
    ])
    await edit(live, required(true))
    expect(live.current().registration.required).toBe(true)
    await edit(live, `${base}registration: { scope: al }\n`)
    expect(refused).toHaveLength(2)
  })

  it('an emptied, missing or half-written file keeps the old policy', async () => {
    const live = await start(required(false))
    await truncate(file, 0)
    await live.refresh()
    await rm(file)
    await live.refresh()
    await edit(live, base.slice(0, 60))
    expect(live.current().registration.required).toBe(false)
    expect(changes).toEqual([])
    expect(refused).toHaveLength(3)
    await writeFile(`${file}.new`, required(true))
    await rename(`${file}.new`, file)
    await live.refresh()
    expect(live.current().registration.required).toBe(true)
  })

  it('a file caught between two writes is read when it is whole', async () => {
    const live = await start(required(false))
    await writeFile(file, base)
    const looking = live.refresh()
    await appendFile(file, 'registration: { required: false, scope: none }\n')
    await looking
    await live.refresh()
    expect(live.current().registration).toMatchObject({ required: false, scope: 'none' })
    expect(refused).toEqual([])
  })

  it('LG-1: what needs a restart is named once, without its value', async () => {
    const live = await start(required(true))
    await edit(live, required(true).replace('hunter2', 'hunter3').replace('3000', '3001'))
    await edit(live, required(false).replace('hunter2', 'hunter3').replace('3000', '3001'))
    expect(restarts).toEqual([['issuer', 'mail.url']])
    expect(changes).toHaveLength(1)
    expect(JSON.stringify({ changes, restarts })).not.toContain('hunter')
  })

  it('PW-5: the words that passwords must not be count at once, the cost of a hash after a restart', async () => {
    const password = (text: string) => `${required(true)}password: { ${text} }\n`
    const live = await start(password('cost: 11'))
    await edit(live, password('cost: 12, banned: [contoso]'))
    expect(live.current().password).toEqual({ banned: ['contoso'] })
    expect(changes[0]?.changes).toEqual([{ path: 'password.banned', from: [], to: ['contoso'] }])
    expect(restarts).toEqual([['password.cost']])
  })

  it('follows a file of policy alone', async () => {
    const live = await start('registration: { required: true }\n')
    await edit(live, 'registration: { required: false }\nhelpdesk: help@example.org\n')
    expect(live.current()).toMatchObject({ registration: { required: false }, helpdesk: 'help@example.org' })
    expect(changes[0]?.changes).toContainEqual({ path: 'helpdesk', from: undefined, to: 'help@example.org' })
  })

  it('CF-1: a bad file is refused at the start', async () => {
    await expect(start('registration: { required: maybe }\n')).rejects.toThrow(
      `${file}:1: registration.required must be true or false (found "maybe"): change it`,
    )
    await expect(livePolicy(join(folder, 'none.yaml'), { methods: traits })).rejects.toThrow('does not exist')
  })
})
