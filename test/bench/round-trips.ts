// How often a page waits for the store, one call after another; the provider's own calls beside ours.
import { openStore } from '../../src/stores/open.ts'
import type { Measurement } from './run.ts'
import type { Row } from './table.ts'
import { tour } from './tour.ts'
import { type Call, inTurn, watched } from './watched.ts'

export const roundTrips: Measurement = async (run) => {
  run.say('round trips: every page once')
  const store = await openStore(run.store())
  const { store: seen, calls, idle, forget } = watched(store)
  const rows: Row[] = []
  try {
    await tour({
      store,
      seen,
      root: run.root,
      around: (walk) => async (name, request) => {
        await idle()
        forget()
        const answer = await request()
        const till = performance.now()
        rows.push(
          rowOf(
            `${walk}, ${name}`,
            calls.filter(({ ended }) => ended <= till),
          ),
        )
        return answer
      },
    })
    await idle()
  } finally {
    await store.close()
  }
  return rows
}

function rowOf(name: string, calls: readonly Call[]): Row {
  const [ours, provider] = [calls.filter(({ part }) => part !== 'rows'), calls.filter(({ part }) => part === 'rows')]
  const all = `all ${calls.length}, ${inTurn(calls)} in turn`
  return {
    name: `store: ${name}`,
    unit: 'in turn',
    ours: inTurn(ours),
    goal: { of: 'ours', most: 3 },
    note: `${ours.length} ours (${listed(ours)}), ${provider.length} of the provider; ${all}`,
  }
}

/** Calls by name, in order. */
function listed(calls: readonly Call[]): string {
  const counts = new Map<string, number>()
  for (const { part, verb } of calls) counts.set(`${part}.${verb}`, (counts.get(`${part}.${verb}`) ?? 0) + 1)
  return [...counts].map(([name, count]) => (count > 1 ? `${name} x${count}` : name)).join(', ') || 'none'
}
