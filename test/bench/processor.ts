// Processor time of each page in the server: everybody makes the same request, one after another, before the next page.
import { type Answer, connections, type Visitor, visitor } from './client.ts'
import { type MeasuredSite, withSite } from './measured.ts'
import type { Measurement } from './run.ts'
import { median, type Row } from './table.ts'
import { type Around, bareSignIn, pages, signIn } from './walks.ts'

/** bcrypt's least. Its own time is measured and taken off the page that pays it. */
const COST = 4

export const processorTime: Measurement = (run) => {
  const [rounds, crowd] = run.quick ? [3, 20] : [9, 40]
  const here = { root: run.root, cost: COST }
  return withSite({ kind: 'ours', store: run.store(), ...here }, (ours) =>
    withSite({ kind: 'bare', store: run.store(), ...here }, async (bare) => {
      run.say(`processor: ${rounds} rounds of ${crowd} sign-ins each`)
      const people = await ours.ask('people', rounds * crowd)
      const [own, theirs]: [Times[], Times[]] = [[], []]
      for (let round = 0; round < rounds; round++) {
        const some = people.slice(round * crowd, (round + 1) * crowd)
        const sides = [
          async () =>
            own.push(
              await phases(
                ours,
                some.map((person) => (visit, around) => signIn(visit, person, around)),
              ),
            ),
          async () =>
            theirs.push(
              await phases(
                bare,
                some.map(() => bareSignIn),
              ),
            ),
        ]
        for (const side of round % 2 === 0 ? sides : sides.toReversed()) await side()
      }
      const hash = await ours.ask('oneHash', 200)
      // The first round warms up.
      const typical = (times: readonly Times[], page: string): number =>
        median(times.slice(1).map((one) => one.get(page) ?? Number.NaN))
      return Object.values(pages).map((page): Row => {
        const off = page === pages.password ? hash : 0
        return {
          name: `processor: ${page}`,
          unit: 'ms',
          ours: typical(own, page) - off,
          baseline: typical(theirs, page),
          note: off > 0 ? `without the hash (${hash.toFixed(2)} ms at cost ${COST})` : '',
        }
      })
    }),
  )
}

type Times = Map<string, number>
type Walk = (visit: Visitor, around: Around) => Promise<unknown>

/** Milliseconds a request, by page: nobody begins a page before everybody has ended the one before. */
async function phases(site: MeasuredSite, walks: readonly Walk[]): Promise<Times> {
  const agent = connections(1)
  const waiting: { name: string; go: () => Promise<void> }[] = []
  let arrived = (): void => undefined
  let left = walks.length
  const around: Around = (name, request) =>
    new Promise<Answer>((resolve, reject) => {
      waiting.push({ name, go: () => request().then(resolve, reject) })
      if (waiting.length === left) arrived()
    })
  const everybody = walks.map((walk, at) =>
    walk(visitor({ issuer: site.issuer, agent, address: `10.0.${at >> 8}.${at & 255}` }), around).finally(() => {
      left--
      if (left === 0) arrived()
    }),
  )
  const all = Promise.all(everybody)
  all.catch(() => arrived())
  const times: Times = new Map()
  for (;;) {
    if (waiting.length < left) await new Promise<void>((resolve) => (arrived = resolve))
    const phase = waiting.splice(0)
    if (phase.length === 0) break
    const before = await site.ask('cpu')
    for (const { go } of phase) await go()
    times.set(phase[0]?.name ?? '', ((await site.ask('cpu')) - before) / phase.length)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await all
  agent.destroy()
  return times
}
