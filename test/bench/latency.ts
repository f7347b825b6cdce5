// Whether others are served while many passwords are checked: discovery, asked at a steady pace, whoever waits.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Answer, connections, visitor } from './client.ts'
import { type MeasuredSite, withSite } from './measured.ts'
import type { Measurement } from './run.ts'
import { percentile } from './table.ts'
import { openSignIn, passwordForm } from './walks.ts'

const CROWD = 300
const COST = 12

export const discoveryLatency: Measurement = (run) => {
  const [crowd, seconds] = run.quick ? [60, 4] : [CROWD, 15]
  return withSite({ kind: 'ours', store: run.store(), root: run.root, cost: COST }, async (site) => {
    run.say(`latency: ${crowd} sign-ins at once`)
    const post = await arrived(site, crowd)
    const calm = await probe(site, seconds / 3)
    const until = performance.now() + seconds * 1000
    const [asked, { right, busy }] = await Promise.all([probe(site, seconds), pause(300).then(() => post(until))])
    const note = `${asked.length} asked; ${right} passwords checked meanwhile, ${busy} told to come again`
    const name = `discovery while ${crowd} sign-ins hash`
    const goal = { of: 'ours', most: 250 } as const
    return [
      { name: `${name}, median`, unit: 'ms', ours: percentile(asked, 0.5), baseline: percentile(calm, 0.5) },
      { name: `${name}, p99`, unit: 'ms', ours: percentile(asked, 0.99), baseline: percentile(calm, 0.99), goal, note },
    ]
  })
}

/** Everybody has the sign-in page open. What comes back posts all passwords in one moment, again when told to, until then. */
async function arrived(site: MeasuredSite, crowd: number) {
  const people = await site.ask('people', crowd)
  const agent = connections(crowd)
  const ready: (() => Promise<Answer>)[] = []
  for (const [at, person] of people.entries()) {
    const visit = visitor({ issuer: site.issuer, agent, address: `10.0.${at >> 8}.${at & 255}` })
    const { path, step } = await openSignIn(visit)
    ready.push(() => visit.post(path, passwordForm(person, step)))
  }
  return async (until: number): Promise<{ right: number; busy: number }> => {
    let [right, busy] = [0, 0]
    const over = pause(until - performance.now(), undefined)
    const signIn = async (post: () => Promise<Answer>): Promise<void> => {
      while (performance.now() < until) {
        const answer = await Promise.race([post(), over])
        // Still in the queue: on a machine this slow, what is measured is over before its turn comes.
        if (!answer) return
        const { status, retryAfter } = answer
        if (status !== 503) {
          if (status !== 303) throw new Error(`a password was answered with ${status}`)
          right++
          return
        }
        busy++
        // A little apart, as people are.
        const wait = retryAfter * 1000 + (busy % 50) * 20
        if (performance.now() + wait > until) return
        await pause(wait)
      }
    }
    await Promise.all(ready.map(signIn))
    agent.destroy()
    return { right, busy }
  }
}

/** In a process of its own, so that the crowd's work is not taken for the server's. Resolves to milliseconds. */
async function probe(site: MeasuredSite, seconds: number): Promise<number[]> {
  const program = fileURLToPath(new URL('./probe-process.ts', import.meta.url))
  const child = fork(program, [site.issuer, String(seconds)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the probe ended early')))
  ended.catch(() => undefined)
  try {
    const [took] = (await Promise.race([once(child, 'message'), ended])) as [number[]]
    return took
  } finally {
    child.kill()
  }
}
