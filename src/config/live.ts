// Policy that follows its file: looked at again at each request, re-read when it changed, never replaced by a bad edit.
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { MethodTraits, Policy } from '../domain/policy.ts'
import { type Difference, differences } from './differences.ts'
import { ConfigError } from './finding.ts'
import { digestOf, type Loaded, readPolicy, textOf } from './load.ts'
import type { Environment } from './source.ts'

export interface PolicyChange {
  /** Of the new policy: the same in every process, so that one of them can claim the event. */
  digest: string
  policy: Policy
  changes: readonly Difference[]
}

export interface LivePolicy {
  current(): Policy
  /** Looks at the file; never rejects. Afterwards `current()` is what the file says, if it is good. */
  refresh(): Promise<void>
}

export interface LiveOptions {
  methods: readonly MethodTraits[]
  env?: Environment
  onChange?: (change: PolicyChange) => void
  /** A bad edit, once: a sentence for each thing that is wrong, with its line. */
  onRefused?: (sentences: readonly string[]) => void
  /** Options that were changed but need a restart, once: dotted paths. */
  onRestart?: (options: readonly string[]) => void
  /** Milliseconds in which a file that changed must be still before it is read: editors write in pieces. */
  settle?: number
}

const TRIES = 20

/** @throws {ConfigError} when the file is bad at the start. */
export async function livePolicy(file: string, options: LiveOptions): Promise<LivePolicy> {
  const { methods, env, onChange, onRefused, onRestart, settle = 20 } = options
  const read = (text: string) => readPolicy({ file, text, methods, ...(env && { env }) })

  let seen = await stamp(file)
  let good = read(await textOf(file))
  const started = good.server
  let refused: string | undefined
  let restart = ''
  let running: Promise<void> | undefined

  async function look(): Promise<void> {
    const now = await stamp(file)
    if (now === seen) return
    const { text, mark } = await still(file, now, settle)
    seen = mark
    let next: typeof good
    try {
      next = read(text ?? (await textOf(file)))
      if (started && !next.server)
        throw new ConfigError([{ file, line: 1, option: 'issuer', sentence: 'is required: add it' }])
    } catch (error) {
      const sentences = error instanceof ConfigError ? error.message.split('\n') : [`${file}: ${String(error)}`]
      const about = createHash('sha256').update(sentences.join('\n')).digest('base64')
      if (about !== refused) onRefused?.(sentences)
      refused = about
      return
    }
    refused = undefined
    const before = good
    const changes = differences(before.policy, next.policy)
    good = changes.length > 0 ? next : before
    if (changes.length > 0) onChange?.({ digest: digestOf(next.policy), policy: next.policy, changes })
    const waiting =
      started && next.server ? differences(serverPart(started), serverPart(next.server)).map(({ path }) => path) : []
    if (waiting.length > 0 && waiting.join() !== restart) onRestart?.(waiting)
    restart = waiting.join()
  }

  return {
    current: () => good.policy,
    refresh() {
      running ??= look()
        .catch((error: unknown) => onRefused?.([`${file}: ${String(error)}`]))
        .finally(() => {
          running = undefined
        })
      return running
    },
  }
}

/** What needs a restart: of a client all that is no policy. */
function serverPart({ cautions: _c, file: _f, lineOf: _l, clients, ...server }: Omit<Loaded, 'policy'>): object {
  const kept = Object.entries(clients).map(([id, { metadata, firstParty }]) => [id, { metadata, firstParty }] as const)
  return { ...server, clients: Object.fromEntries(kept) }
}

/** Size and time of change, to the nanosecond; a word when there is no file. */
async function stamp(file: string): Promise<string> {
  try {
    const { size, mtimeNs, ino } = await stat(file, { bigint: true })
    return `${size}-${mtimeNs}-${ino}`
  } catch {
    return 'missing'
  }
}

/** The text once the file has stopped changing; an editor that replaces the file may leave it missing for a moment. */
async function still(file: string, mark: string, settle: number): Promise<{ text: string | undefined; mark: string }> {
  let before = mark
  for (let round = 0; round < TRIES; round++) {
    await pause(settle)
    const text = await textOf(file).catch(() => undefined)
    const after = await stamp(file)
    if (after === before) return { text, mark: after }
    before = after
  }
  return { text: undefined, mark: before }
}
