// What a thief with a stopwatch learns: whether the time of an answer tells a name that exists from one that does not (EM-2).
import { connections, expected, stepOf, type Visitor, visitor } from './client.ts'
import { type MeasuredSite, withSite } from './measured.ts'
import type { Measurement } from './run.ts'
import { median, type Row } from './table.ts'
import { openSignIn } from './walks.ts'

/** bcrypt's least: what else differs is not hidden behind the noise of a slow hash. */
const COST = 4
/** Samples that are thrown away, while the server compiles what it runs. */
const WARM = 0.1

interface Sampling {
  name: string
  /** Walks to the page; what comes back makes the request that is timed. */
  ready(visit: Visitor, username: string): Promise<() => Promise<{ status: number; body: string }>>
  status: number
}

type Form = (fields: Record<string, string>) => () => ReturnType<Visitor['post']>

/** The page in the window, and its form. */
async function looked(visit: Visitor, path: string): Promise<Form> {
  const { body } = expected(await visit.get(path), 200, path)
  return (fields) => () => visit.post(path, { step: stepOf(body), ...fields })
}

async function atForgot(visit: Visitor): Promise<{ path: string; form: Form }> {
  const { path, step } = await openSignIn(visit)
  expected(await visit.post(path, { step, action: 'forgot' }), 303, 'forgot')
  return { path, form: await looked(visit, path) }
}

async function atMethods(visit: Visitor, username: string): Promise<{ path: string; form: Form }> {
  const { path, form } = await atForgot(visit)
  expected(await form({ username, action: 'continue' })(), 303, 'name')
  return { path, form: await looked(visit, path) }
}

const samplings: Sampling[] = [
  {
    name: 'sign-in, a wrong password',
    status: 422,
    async ready(visit, username) {
      const { path, step } = await openSignIn(visit)
      return () => visit.post(path, { step, username, password: 'not the password', action: 'continue' })
    },
  },
  {
    name: 'reset, the name',
    status: 303,
    ready: async (visit, username) => (await atForgot(visit)).form({ username, action: 'continue' }),
  },
  {
    name: 'reset, a mailed code asked for',
    status: 303,
    ready: async (visit, username) => (await atMethods(visit, username)).form({ method: 'email' }),
  },
  ...(['totp', 'email', 'recovery-codes'] as const).map((method) => ({
    name: `reset, a wrong code (${method})`,
    status: 422,
    async ready(visit: Visitor, username: string) {
      const { path, form } = await atMethods(visit, username)
      expected(await form({ method })(), 303, 'method')
      const code = { totp: '123456', email: '12345678', 'recovery-codes': 'ABCDEFGHJKMNPQRSTVWXYZ23' }[method]
      return (await looked(visit, path))({ code, action: 'continue' })
    },
  })),
]

export const timing: Measurement = (run) => {
  const samples = run.quick ? 200 : 2000
  return withSite({ kind: 'ours', store: run.store(), root: run.root, cost: COST }, async (site) => {
    const rows: Row[] = []
    for (const sampling of samplings) {
      run.say(`timing: ${sampling.name}, ${samples} requests`)
      const each = Math.ceil((samples * (1 + WARM)) / 2)
      const registered = (await site.ask('people', each)).map(({ username }) => username)
      rows.push(await classified(site, sampling, registered, 'registered'))
      const newcomers = (await site.ask('newcomers', each)).map(({ username }) => username)
      rows.push(await classified(site, sampling, newcomers, 'nothing registered'))
    }
    return rows
  })
}

/** One connection, one request at a time, known and unknown names in random order, each name once. */
async function classified(site: MeasuredSite, sampling: Sampling, known: string[], what: string): Promise<Row> {
  const agent = connections(1)
  const unknown = known.map((name) => `${name.slice(0, -4)}none`)
  const order = shuffled([
    ...known.map((name) => ({ name, known: true })),
    ...unknown.map((name) => ({ name, known: false })),
  ])
  const warm = Math.floor((order.length * WARM) / (1 + WARM))
  const took: { known: number[]; unknown: number[] } = { known: [], unknown: [] }
  for (const [index, one] of order.entries()) {
    const visit = visitor({
      issuer: site.issuer,
      agent,
      address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    })
    const ask = await sampling.ready(visit, one.name)
    const began = performance.now()
    const { status } = await ask()
    const ended = performance.now() - began
    if (status !== sampling.status) throw new Error(`${sampling.name}: answered with ${status}`)
    if (index >= warm) took[one.known ? 'known' : 'unknown'].push(ended)
  }
  agent.destroy()
  const auc = areaUnderCurve(took.known, took.unknown)
  const count = took.known.length + took.unknown.length
  const spread = Math.sqrt((count + 1) / (12 * took.known.length * took.unknown.length))
  const times = [took.known, took.unknown].map((one) => median(one).toFixed(2))
  return {
    name: `stopwatch: ${sampling.name}, ${what} or unknown`,
    unit: '',
    // On whichever side of one half: a thief may turn the classifier around.
    ours: Math.max(auc, 1 - auc),
    goal: { of: 'ours', most: 0.55 },
    note: `AUC ${auc.toFixed(3)}, chance alone ${spread.toFixed(3)}; medians ${times.join(' and ')} ms over ${count} requests`,
  }
}

/** How likely a time of the first is longer than one of the second; a half is a tie. Mann and Whitney's U, by ranks. */
export function areaUnderCurve(first: readonly number[], second: readonly number[]): number {
  const all = [...first.map((value) => ({ value, mine: true })), ...second.map((value) => ({ value, mine: false }))]
  all.sort((a, b) => a.value - b.value)
  let sum = 0
  for (let from = 0; from < all.length; ) {
    let till = from
    while (till < all.length && all[till]?.value === all[from]?.value) till++
    const mine = all.slice(from, till).filter((one) => one.mine).length
    sum += (mine * (from + 1 + till)) / 2
    from = till
  }
  return (sum - (first.length * (first.length + 1)) / 2) / (first.length * second.length)
}

/** Fisher and Yates. */
function shuffled<Item>(items: readonly Item[]): Item[] {
  const mixed = [...items]
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    ;[mixed[last], mixed[other]] = [mixed[other] as Item, mixed[last] as Item]
  }
  return mixed
}
