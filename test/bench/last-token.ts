// How long a token outlives the reset of its account in another process: both on one store, one asked without a pause.
import { connections, visitor } from './client.ts'
import { type MeasuredSite, withSite } from './measured.ts'
import type { Person } from './people.ts'
import type { Measurement } from './run.ts'
import { CALLBACK, verifier } from './site.ts'
import { median } from './table.ts'
import { resetToTheEnd, signIn } from './walks.ts'

/** Of the authenticator app. */
const STEP = 30_000
/** How long the other process is asked on after the reset was answered, in milliseconds. */
const AFTER = 250

export const lastToken: Measurement = (run) => {
  const times = run.quick ? 3 : 40
  const here = { kind: 'ours', store: run.store(), root: run.root, cost: 4 } as const
  return withSite(here, (one) =>
    withSite(here, async (other) => {
      run.say(`last token: ${times} resets`)
      const told: Watched[] = []
      for (const [at, person] of (await one.ask('people', times)).entries()) {
        told.push(await watchedReset(one, other, person, `10.0.0.${at}`))
      }
      const sum = (count: (one: Watched) => number): number => told.reduce((total, one) => total + count(one), 0)
      const name = 'another process, from the answer to a reset on'
      const goal = { of: 'ours', most: 0 } as const
      const before = median(told.map(({ lastAccepted }) => lastAccepted)).toFixed(1)
      const asked = `${times} resets, ${sum(({ asked }) => asked)} requests`
      return [
        {
          name: `${name}: access tokens taken`,
          unit: '',
          ours: sum(({ takenAfter }) => takenAfter),
          goal,
          note: `${asked}; the last one that was taken began ${before} ms before the answer`,
        },
        {
          name: `${name}: refresh tokens taken`,
          unit: '',
          ours: sum(({ refreshed }) => refreshed),
          goal,
          note: 'the very next request',
        },
      ]
    }),
  )
}

interface Watched {
  asked: number
  /** Requests that began after the answer, and were served. */
  takenAfter: number
  /** Milliseconds before the answer. */
  lastAccepted: number
  refreshed: 0 | 1
}

async function watchedReset(one: MeasuredSite, other: MeasuredSite, person: Person, address: string): Promise<Watched> {
  const agent = connections(1)
  const browser = () => visitor({ issuer: one.issuer, agent, address })
  // The step before: the reset takes the code of this one.
  const back = await signIn(browser(), person, undefined, () => Date.now() - STEP)
  const tokens = await grant(one, {
    grant_type: 'authorization_code',
    code: new URL(back).searchParams.get('code') ?? '',
    redirect_uri: CALLBACK,
    code_verifier: verifier,
  })
  if (!tokens) throw new Error('no tokens')
  const { save } = await resetToTheEnd(browser(), person, { method: 'recovery-codes' })
  const asks: { began: number; taken: boolean }[] = []
  let answered = Number.POSITIVE_INFINITY
  const headers = { authorization: `Bearer ${tokens.access_token}` }
  const asking = async (): Promise<void> => {
    while (performance.now() < answered + AFTER) {
      const began = performance.now()
      const { status } = await fetch(`${other.issuer}/me`, { headers })
      asks.push({ began, taken: status === 200 })
    }
  }
  const asked = asking()
  while (asks.length === 0) await new Promise((done) => setImmediate(done))
  if (!asks[0]?.taken) throw new Error('the token is refused before the reset')
  await save()
  answered = performance.now()
  const again = await grant(other, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
  await asked
  agent.destroy()
  const taken = asks.filter((ask) => ask.taken)
  return {
    asked: asks.length,
    takenAfter: taken.filter(({ began }) => began > answered).length,
    lastAccepted: answered - (taken.at(-1)?.began ?? Number.NaN),
    refreshed: again ? 1 : 0,
  }
}

async function grant(site: MeasuredSite, fields: Record<string, string>) {
  const body = new URLSearchParams({ client_id: 'rp', ...fields })
  const answer = await fetch(`${site.issuer}/token`, { method: 'POST', body })
  return answer.ok ? ((await answer.json()) as { access_token: string; refresh_token: string }) : undefined
}
