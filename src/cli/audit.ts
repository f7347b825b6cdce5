// `audit`: prints the audit trail, filtered, as a table or as JSON lines, and follows it.
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { loadConfig } from '../config/load.ts'
import { nearest } from '../config/nearest.ts'
import { usernameKey } from '../domain/codes.ts'
import type { AuditFilter, AuditStore } from '../domain/ports.ts'
import { Unavailable } from '../domain/problems.ts'
import type { AuditEvent, Time } from '../domain/types.ts'
import { createMethods } from '../methods/index.ts'
import { realChance } from '../server/chance.ts'
import { openStore } from '../stores/open.ts'
import { eventKinds, isEventKind } from './audit-kinds.ts'
import { every, following, newest } from './audit-read.ts'
import { type Io, needed, UsageError } from './command.ts'
import { jsonLine, time, visible } from './visible.ts'

const DAY = 86_400_000
const LOOK_EVERY = 1000
const MOST = 100_000

const columns = ['time', 'kind', 'outcome', 'reason', 'account', 'actor', 'address', 'client', 'detail']
const row = ({ at, kind, outcome, reason, accountId, actor, address, client, detail }: AuditEvent): string =>
  [time(at), kind, outcome, reason, accountId, actor, address, client, detail && JSON.stringify(detail)]
    .map((value) => visible(value ?? '-'))
    .join('\t')

const line = (event: AuditEvent, json: boolean): string =>
  json ? jsonLine({ ...event, at: time(event.at) }) : row(event)

/** A day, from its beginning or to its end in UTC, or a moment with its zone. */
function moment(text: string | undefined, option: 'from' | 'to'): Time | undefined {
  if (text === undefined) return undefined
  const day = /^\d{4}-\d\d-\d\d$/.test(text)
  const at =
    day || /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN
  // 30 February would become a day of March.
  if (Number.isNaN(at) || (day && !time(at).startsWith(text))) {
    throw new UsageError(`--${option} must be a day (2026-01-31) or a moment (2026-01-31T08:00Z).`)
  }
  return day && option === 'to' ? at + DAY - 1 : at
}

function kindOf(text: string | undefined): Pick<AuditFilter, 'kind'> {
  if (text === undefined) return {}
  if (isEventKind(text)) return { kind: text }
  const guess = nearest(text, eventKinds)
  throw new UsageError(`There is no kind "${visible(text)}"${guess ? `: did you mean ${guess}?` : '.'}`)
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOST) return limit
  throw new UsageError(`--limit must be a whole number from 1 to ${MOST}.`)
}

const read = (args: string[]) =>
  parseArgs({
    args,
    options: {
      config: { type: 'string' },
      account: { type: 'string' },
      username: { type: 'string' },
      kind: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      limit: { type: 'string' },
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      follow: { type: 'boolean', default: false },
    },
  }).values

type Given = ReturnType<typeof read>

function together(given: Given): void {
  const both = (one: keyof Given, other: keyof Given): void => {
    if (given[one] && given[other]) throw new UsageError(`--${one} and --${other} do not go together.`)
  }
  both('account', 'username')
  both('all', 'limit')
  for (const option of ['from', 'to', 'all'] as const) both('follow', option)
}

export async function run(args: string[], io: Io): Promise<number> {
  const given = read(args)
  together(given)
  const [from, to] = [moment(given.from, 'from'), moment(given.to, 'to')]
  const filter: AuditFilter = {
    ...(given.account !== undefined && { accountId: given.account }),
    ...kindOf(given.kind),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  }
  const limit = limitOf(given.limit)
  const config = await loadConfig(needed(given.config, 'config'), { env: io.env, methods: createMethods() })
  const store = await openStore(config.store)
  try {
    if (given.username !== undefined) {
      const account = await store.accounts.findByUsernameKey(usernameKey(given.username))
      if (!account) {
        io.err(`There is no account "${visible(given.username)}". One that was deleted is found by --account ID.`)
        return 1
      }
      filter.accountId = account.id
    }
    const print = (event: AuditEvent): void => io.out(line(event, given.json))
    if (!given.json) io.out(columns.join('\t'))
    if (given.follow) await follow(store.audit, filter, { io, print, before: limit ?? 0 })
    else if (given.all) for await (const event of every(store.audit, filter)) print(event)
    else for (const event of await newest(store.audit, filter, limit ?? 100, realChance.now())) print(event)
  } finally {
    await store.close()
  }
  return 0
}

/** Until SIGINT, SIGTERM, or nobody reads any more. */
async function follow(
  audit: AuditStore,
  filter: AuditFilter,
  { io, print, before }: { io: Io; print: (event: AuditEvent) => void; before: number },
): Promise<void> {
  const over = new AbortController()
  const end = (): void => over.abort()
  const reader = process.stdout
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  reader.once('error', end)
  const say = once(io.err)
  const clock = {
    now: realChance.now,
    next() {
      say('Following the trail; Ctrl-C ends it.')
      return pause(LOOK_EVERY, true, { signal: over.signal }).catch(() => false)
    },
    failed(error: unknown) {
      if (!(error instanceof Unavailable)) throw error
      say('The store does not answer; what happens meanwhile is shown when it does.')
    },
  }
  try {
    for await (const event of following(audit, filter, clock, before)) print(event)
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end)
    reader.off('error', end)
  }
}

/** Each sentence once. */
function once(tell: (text: string) => void): (text: string) => void {
  const told = new Set<string>()
  return (text) => {
    if (!told.has(text)) tell(text)
    told.add(text)
  }
}
