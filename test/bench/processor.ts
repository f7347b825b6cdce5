// Processor time of each page in the server: everybody makes the same request, one after another, before the next page.
import { type Answer, connections, visitor } from './client.ts'
import { type MeasuredSite, withSite } from './measured.ts'
import type { Measurement } from './run.ts'
import type { Row } from './table.ts'
import { type Around, bareSignIn, pages, signIn } from './walks.ts'

/** bcrypt's least. Its own time is measured and taken off the page that pays it. */
const COST = 4

export const processorTime: Measurement = (run) => {
  const [warm, times] = run.quick ? [10, 40] : [50, 300]
  const here = { root: run.root, cost: COST }
  return withSite({ kind: 'ours', store: run.store(), ...here }, (ours) =>
    withSite({ kind: 'bare', store: run.store(), ...here }, async (bare) => {
      run.say(`processor: ${times} of each page`)
      const people = await ours.ask('people', warm + times)
      const walks = people.map(
        (person) => (visit: ReturnType<typeof visitor>, around: Around) => signIn(visit, person, around),
      )
      const used = async (count: number, from: number) => ({
        ours: await phases(ours, walks.slice(from, from + count)),
        bare: await phases(
          bare,
          Array.from({ length: count }, () => bareSignIn),
        ),
      })
      await used(warm, 0)
      const { ours: own, bare: theirs } = await used(times, warm)
      const hash = await ours.ask('oneHash', 200)
      return Object.values(pages).map((page): Row => {
        const off = page === pages.password ? hash : 0
        return {
          name: `processor: ${page}`,
          unit: 'ms',
          ours: (own.get(page) ?? Number.NaN) - off,
          baseline: theirs.get(page) ?? Number.NaN,
          note: off > 0 ? `without the hash (${hash.toFixed(2)} ms at cost ${COST})` : '',
        }
      })
    }),
  )
}

/** Milliseconds a request, by page: nobody begins a page before everybody has ended the one before. */
async function phases(
  site: MeasuredSite,
  walks: readonly ((visit: ReturnType<typeof visitor>, around: Around) => Promise<unknown>)[],
): Promise<Map<string, number>> {
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
  const times = new Map<string, number>()
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
