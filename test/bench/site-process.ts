// The program of a measured server: a site of its own process, asked over the channel to its parent.
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { Chance } from '../../src/domain/ports.ts'
import { hashesAtOnce } from '../../src/passwords/gate.ts'
import { openStore } from '../../src/stores/open.ts'
import { ceiling, oneHash } from './bcrypt.ts'
import { addPeople, type Person } from './people.ts'
import { bareSite, ourSite } from './site.ts'

export interface Setup {
  kind: 'ours' | 'bare'
  store: string
  /** Base64. */
  root: string
  cost: number
}

/** What can be asked. */
export interface Verbs {
  people(count: number): Promise<Person[]>
  /** Who registered nothing. */
  newcomers(count: number): Promise<Person[]>
  /** Comparisons a second, `hashesAtOnce` at a time. */
  ceiling(seconds: number): Promise<number>
  oneHash(times: number): Promise<number>
  /** Milliseconds of processor time so far. */
  cpu(): Promise<number>
}

export interface Asked {
  id: number
  verb: keyof Verbs
  input: number
}

const chance: Chance = { now: () => Date.now(), random: (bytes) => randomBytes(bytes) }

async function serve({ kind, store: uri, root, cost }: Setup): Promise<void> {
  const store = await openStore(uri)
  const options = { store, roots: [Buffer.from(root, 'base64')], chance, cost }
  const site = kind === 'ours' ? await ourSite(options) : await bareSite(options)
  const atOnce = hashesAtOnce(availableParallelism())
  const verbs: Verbs = {
    people: (count) => addPeople({ ...options, keys: site.keys }, count),
    newcomers: (count) => addPeople({ ...options, keys: site.keys }, count, { newcomers: true }),
    ceiling: (seconds) => ceiling(cost, seconds, atOnce),
    oneHash: (times) => oneHash(cost, times),
    cpu: async () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1000
    },
  }
  process.on('message', ({ id, verb, input }: Asked) => {
    verbs[verb](input).then(
      (answer) => process.send?.({ id, answer }),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    )
  })
  // The parent ends it by ending the channel; so does the parent's own end.
  process.on('disconnect', () => {
    void site
      .close()
      .then(() => store.close())
      .finally(() => process.exit(0))
  })
  process.send?.({ issuer: site.issuer })
}

await serve(JSON.parse(process.argv[2] ?? '{}') as Setup)
