// Every page against the bare provider's own, with the hash taken out: what the rest of the product costs.
import { type Answer, connections, visitor } from './client.ts'
import { type MeasuredSite, withSite } from './measured.ts'
import type { Measurement } from './run.ts'
import { median, type Row } from './table.ts'
import { type Around, bareSignIn, pages, signIn } from './walks.ts'

/** bcrypt's least. Its own time is measured and taken off the page that pays it. */
const COST = 4
const GOAL = { of: 'ratio', most: 1.25 } as const

type Times = Map<string, number[]>

const timing =
  (times: Times): Around =>
  async (name, request): Promise<Answer> => {
    const began = performance.now()
    const answer = await request()
    times.set(name, [...(times.get(name) ?? []), performance.now() - began])
    return answer
  }

export const pageTimes: Measurement = (run) => {
  const [warm, times] = run.quick ? [3, 12] : [20, 150]
  const here = { root: run.root, cost: COST }
  return withSite({ kind: 'ours', store: run.store(), ...here }, (ours) =>
    withSite({ kind: 'bare', store: run.store(), ...here }, async (bare) => {
      const people = await ours.ask('people', warm + times)
      const [ourTimes, bareTimes]: [Times, Times] = [new Map(), new Map()]
      const processor = async () => ({ ours: await ours.ask('cpu'), bare: await bare.ask('cpu') })
      let before = await processor()
      run.say(`pages: ${times} sign-ins each, in turn`)
      for (const [at, person] of people.entries()) {
        const [a, b]: [Times, Times] = at < warm ? [new Map(), new Map()] : [ourTimes, bareTimes]
        if (at === warm) before = await processor()
        const sides = [
          () => alone(ours, (visit) => signIn(visit, person, timing(a))),
          () => alone(bare, (visit) => bareSignIn(visit, timing(b))),
        ]
        for (const side of at % 2 === 0 ? sides : sides.toReversed()) await side()
      }
      const after = await processor()
      const hash = await ours.ask('oneHash', 100)
      const used: Row = {
        name: 'pages: processor time of a sign-in',
        unit: 'ms',
        ours: (after.ours - before.ours) / times - hash,
        baseline: (after.bare - before.bare) / times,
        note: 'in the server, without the hash',
      }
      return [...rowsOf(ourTimes, bareTimes, hash), used]
    }),
  )
}

async function alone(site: MeasuredSite, walk: (visit: ReturnType<typeof visitor>) => Promise<unknown>): Promise<void> {
  const agent = connections(1)
  try {
    await walk(visitor({ issuer: site.issuer, agent, address: '192.0.2.1' }))
  } finally {
    agent.destroy()
  }
}

function rowsOf(ours: Times, bare: Times, hash: number): Row[] {
  const rows = Object.values(pages).map((page): Row => {
    const off = page === pages.password ? hash : 0
    return {
      name: `page: ${page}`,
      unit: 'ms',
      ours: median(ours.get(page) ?? []) - off,
      baseline: median(bare.get(page) ?? []),
      goal: GOAL,
      note: off > 0 ? `without the hash (${hash.toFixed(2)} ms at cost ${COST})` : '',
    }
  })
  const sum = (times: Times): number => [...times.values()].reduce((total, one) => total + median(one), 0)
  const whole: Row = {
    name: 'pages: whole sign-in',
    unit: 'ms',
    ours: sum(ours) - hash,
    baseline: sum(bare),
    goal: GOAL,
    note: 'password + code against login + consent',
  }
  return [...rows, whole]
}
