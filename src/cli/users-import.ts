// `users import`: many accounts from a file. Each row is added whole or refused with its line; good rows are kept.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { ConfigError } from '../config/finding.ts'
import { loadConfig } from '../config/load.ts'
import { loadKeys, parseRootKeys } from '../domain/keys.ts'
import type { AccountStore } from '../domain/ports.ts'
import { vaultFor } from '../domain/seal.ts'
import { createMethods } from '../methods/index.ts'
import { realChance } from '../server/chance.ts'
import { openStore } from '../stores/open.ts'
import { actor } from './actor.ts'
import { type Io, needed, only } from './command.ts'
import { accountOf, columns, type Making } from './new-account.ts'
import { type Found, rowsOf } from './rows.ts'

/** Inserts under way at once: enough to hide the way to a database, few enough for its pool. */
const BATCH = 50
const PROGRESS = 1000

export interface Counts {
  added: number
  unchanged: number
  refused: number
}

export async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { config: { type: 'string' } },
  })
  const file = only(positionals, 'The file to import')
  const methods = createMethods()
  const config = await loadConfig(needed(values.config, 'config'), { env: io.env, methods })
  const roots = parseRootKeys(io.env['SELF_SERVICE_KEYS'] ?? '')
  if (!(await stat(file).catch(() => undefined))?.isFile()) {
    throw new ConfigError([{ sentence: `the file ${file} does not exist: name a file that does` }])
  }
  const store = await openStore(config.store)
  try {
    const keys = await loadKeys(store.claims, roots, realChance)
    const counts = await importRows(rowsOf(createReadStream(file), columns(methods)), store.accounts, {
      making: {
        methods,
        cost: config.password.cost,
        actor: actor(io),
        chance: realChance,
        vaultFor: (id) => vaultFor(keys, id),
      },
      refuse: (line, why) => io.err(`${file}:${line}: ${why}`),
      progress: (done) => io.err(`${done} rows ...`),
    })
    io.out(`Added ${counts.added}, unchanged ${counts.unchanged}, refused ${counts.refused}.`)
    return counts.refused > 0 ? 1 : 0
  } finally {
    await store.close()
  }
}

/** An account whose name is taken stays as it is; a name that stands in the file twice is a mistake of the file. */
export async function importRows(
  rows: AsyncIterable<Found>,
  accounts: AccountStore,
  to: {
    making: Making
    refuse: (line: number, why: string) => void
    progress: (done: number) => void
  },
): Promise<Counts> {
  const counts: Counts = { added: 0, unchanged: 0, refused: 0 }
  const seen = new Map<string, number>()
  const refuse = (line: number, why: string): void => {
    counts.refused++
    to.refuse(line, why)
  }

  async function take(found: Found): Promise<void> {
    if ('wrong' in found) return refuse(found.line, found.wrong)
    const account = accountOf(found.row, to.making)
    if (typeof account === 'string') return refuse(found.line, account)
    const before = seen.get(account.usernameKey)
    if (before !== undefined) return refuse(found.line, `username is already in line ${before}`)
    seen.set(account.usernameKey, found.line)
    if (await accounts.insert(account)) counts.added++
    else counts.unchanged++
  }

  let batch: Promise<void>[] = []
  let done = 0
  for await (const found of rows) {
    batch.push(take(found))
    if (++done % PROGRESS === 0) to.progress(done)
    if (batch.length < BATCH) continue
    await Promise.all(batch)
    batch = []
  }
  await Promise.all(batch)
  return counts
}
