// Whole sign-ins and resets a second against the machine's own bcrypt ceiling: what the product leaves of the machine.
import { rate } from './bcrypt.ts'
import { connections, type Visitor, visitor } from './client.ts'
import { type MeasuredSite, withSite } from './measured.ts'
import type { Person } from './people.ts'
import type { Measurement, Run } from './run.ts'
import { median, type Row } from './table.ts'
import { reset, signIn } from './walks.ts'

/**
 * The crowd is this process, the server another one: node:http over connections that stay open, one regular expression
 * a page, no HTML parser. What it takes from the same cores stands in the note, and counts against us.
 */
const CROWD = 16

interface Walk {
  name: string
  /** That one walk cannot do without. */
  hashes: number
  walk(visitor: Visitor, person: Person): Promise<unknown>
}

const signingIn: Walk = { name: 'sign-in', hashes: 1, walk: (visit, person) => signIn(visit, person) }

/** Is it the present one? And the hash of the new one. */
const resetting: Walk = {
  name: 'reset',
  hashes: 2,
  walk: (visit, person) => reset(visit, person, { method: 'recovery-codes' }),
}

interface Plan {
  cost: number
  rounds: number
  seconds: number
  /** More than the machine can do in one round: one account a sign-in. */
  people: number
}

export const signIns: Measurement = (run) => planned(run, signingIn)
export const resets: Measurement = (run) => planned(run, resetting)

async function planned(run: Run, walk: Walk): Promise<Row[]> {
  const plans: Plan[] = run.quick
    ? [{ cost: 10, rounds: 1, seconds: 2, people: 300 }]
    : [
        { cost: 12, rounds: 3, seconds: 7, people: 250 },
        { cost: 10, rounds: 3, seconds: 5, people: 600 },
      ]
  const rows: Row[] = []
  for (const plan of plans) rows.push(await measured(run, plan, walk))
  return rows
}

const measured = (run: Run, { cost, rounds, seconds, people }: Plan, walk: Walk): Promise<Row> =>
  withSite({ kind: 'ours', store: run.store(), root: run.root, cost }, async (site) => {
    const ours: number[] = []
    const baseline: number[] = []
    const shares: { server: number; crowd: number }[] = []
    for (let round = 0; round < rounds; round++) {
      run.say(`${walk.name}s at cost ${cost}, round ${round + 1} of ${rounds}`)
      const some = await site.ask('people', people)
      baseline.push((await site.ask('ceiling', seconds)) / walk.hashes)
      const { perSecond, ...share } = await crowd(site, some, seconds, walk)
      ours.push(perSecond)
      shares.push(share)
    }
    const crowdShare = median(shares.map(({ crowd }) => crowd))
    const server = median(shares.map((share) => share.server))
    return {
      name: `${walk.name}s a second, bcrypt ${cost}`,
      unit: '/s',
      ours: median(ours),
      baseline: median(baseline),
      ratio: median(ours.map((value, at) => value / (baseline[at] ?? Number.NaN))),
      goal: { of: 'ratio', least: 0.9 },
      note: `one ${walk.name} costs ${server.toFixed(0)} ms of processor in the server, ${crowdShare.toFixed(1)} ms in the crowd`,
    }
  })

/** Everybody walks, one after another in each lane, until the time is up. The first round of lanes warms up. */
async function crowd(site: MeasuredSite, people: readonly Person[], seconds: number, { walk }: Walk) {
  const agent = connections(CROWD)
  const until = performance.now() + seconds * 1000
  const ends: number[] = []
  const before = { server: await site.ask('cpu'), crowd: process.cpuUsage() }
  let next = 0
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      const at = next++
      const person = people[at]
      if (!person) throw new Error('the machine is faster than this benchmark expects: give it more people')
      const address = `10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`
      await walk(visitor({ issuer: site.issuer, agent, address }), person)
      ends.push(performance.now())
    }
  }
  await Promise.all(Array.from({ length: CROWD }, lane))
  const used = process.cpuUsage(before.crowd)
  const server = (await site.ask('cpu')) - before.server
  agent.destroy()
  // Lanes begin together and empty together: only what ended in the steady time between is counted.
  const steady = ends.slice(CROWD / 2).filter((end) => end <= until)
  return {
    perSecond: rate(steady.length > 1 ? steady : ends),
    server: server / ends.length,
    crowd: (used.user + used.system) / 1000 / ends.length,
  }
}
