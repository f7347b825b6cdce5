// A process of its own that races for what the test names: one line of JSON in, one line of results out.
import { createInterface } from 'node:readline'
import { openStore } from '../../src/stores/open.ts'
import { anAccount, aRow } from './contract/samples.ts'

const CALLERS = 25
const [, , uri = '', me = ''] = process.argv
const store = await openStore(uri)
const callers = Array.from({ length: CALLERS }, (_, caller) => `${me}-${caller}`)
const budget = { windows: [{ limit: 7, period: 1000 }], streak: { waits: [], limit: 50 } }

async function round(name: string): Promise<object> {
  await store.rows.upsert('Code', name, aRow(), undefined)
  const inserted = await Promise.all(
    callers.map((caller) => store.accounts.insert(anAccount(`${name}-${caller}`, { usernameKey: name }))),
  )
  const consumed = await Promise.all(callers.map(() => store.rows.consume('Code', name, 1)))
  const admitted = await Promise.all(callers.map((caller) => store.budgets.admit(name, budget, 1, caller)))
  const claimed = await Promise.all(callers.map((caller) => store.claims.claim(name, caller)))
  return {
    inserted: inserted.filter(Boolean).length,
    consumed: consumed.filter(Boolean).length,
    rows: admitted.flatMap((answer) => (answer.admitted ? [answer.inRow] : [])),
    claimed: [...new Set(claimed)],
  }
}

/** Acknowledges each version once it is written, until it is killed. */
async function writeForEver(id: string): Promise<never> {
  await store.accounts.insert(anAccount(id))
  for (let version = 1; ; version++) {
    if (!(await store.accounts.replace(anAccount(id, { version: version + 1 }), version))) throw new Error('lost')
    console.log(JSON.stringify({ version: version + 1 }))
  }
}

console.log(JSON.stringify({ ready: me }))
for await (const line of createInterface(process.stdin)) {
  const { race, write } = JSON.parse(line) as { race?: string; write?: string }
  if (write !== undefined) await writeForEver(write)
  if (race !== undefined) console.log(JSON.stringify(await round(race)))
}
await store.close()
