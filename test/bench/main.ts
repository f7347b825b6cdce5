// `npm run bench`: ratios in one run, alternating, medians, one table. Nothing here is a test; numbers are for reading.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bytesPerPage } from './bytes.ts'
import { discoveryLatency } from './latency.ts'
import { pageTimes } from './pages.ts'
import { processorTime } from './processor.ts'
import { roundTrips } from './round-trips.ts'
import type { Measurement, Run } from './run.ts'
import { lastToken } from './last-token.ts'
import { resets, signIns } from './sign-ins.ts'
import { startUp } from './start-up.ts'
import { timing } from './timing.ts'
import { met, type Row, ratioOf, table } from './table.ts'

export const measurements: Record<string, Measurement> = {
  bytes: bytesPerPage,
  'round-trips': roundTrips,
  pages: pageTimes,
  processor: processorTime,
  latency: discoveryLatency,
  'sign-ins': signIns,
  resets,
  'last-token': lastToken,
  timing,
  'start-up': startUp,
}

const usage = `npm run bench -- [options]
  --only NAME    one measurement, or several: ${Object.keys(measurements).join(', ')}
  --quick        seconds instead of minutes: whether it runs, not how fast
  --store URI    mongodb://HOST/DATABASE instead of SQLite; a database that may be filled
  --folder DIR   where the SQLite file lies; the system's folder for temporary files by default
  --json FILE    the rows as JSON as well
`

export interface BenchOptions {
  only?: readonly string[]
  quick?: boolean
  store?: string
  folder?: string
  say?: (text: string) => void
}

export async function bench(options: BenchOptions): Promise<Row[]> {
  const { only = Object.keys(measurements), quick = false, store, say = () => undefined } = options
  const folder = await mkdtemp(join(options.folder ?? tmpdir(), 'bench-'))
  let stores = 0
  const run: Run = {
    quick,
    folder,
    root: randomBytes(32).toString('base64'),
    store: () => store ?? `sqlite:${join(folder, `${++stores}.db`)}`,
    say,
  }
  try {
    const rows: Row[] = []
    for (const name of only) {
      const measure = measurements[name]
      if (!measure) throw new RangeError(`there is no measurement ${JSON.stringify(name)}`)
      rows.push(...(await measure(run)))
    }
    return rows
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean' },
      store: { type: 'string' },
      folder: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  const { json, help, ...options } = values
  if (help) process.stdout.write(usage)
  else {
    const began = performance.now()
    const say = (text: string): void => void process.stderr.write(`${text}\n`)
    const rows: Row[] = []
    for (const name of options.only ?? Object.keys(measurements)) {
      try {
        rows.push(...(await bench({ ...options, only: [name], say })))
      } catch (error) {
        // What the others found is not lost; a result that was not obtained is no row.
        console.error(`${name}:`, error)
        process.exitCode = 1
      }
    }
    process.stdout.write(`${table(rows)}\n`)
    process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0)} s\n`)
    const told = rows.map((row) => Object.assign({}, row, { ratio: ratioOf(row), ok: met(row) }))
    if (json) await writeFile(json, `${JSON.stringify(told, undefined, 2)}\n`)
  }
}
