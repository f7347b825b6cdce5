// Tells relying parties that sessions ended: durable jobs, leased by one process at a time, tried again for a day.
import type { Chance, MailJob, Store } from '../domain/ports.ts'
import type { KeyRing } from '../domain/seal.ts'
import type { AuditEvent, Time } from '../domain/types.ts'
import { endedJob, type Party, partiesOf, partyJob, readEnded, readParty } from './logout-jobs.ts'
import { type Pace, pace } from './logout-pace.ts'

/** A client of the provider that listens for logout tokens. */
export interface Listener {
  /** Its tokens carry the `sid`; without one, a token ends all of the account's sessions there. */
  bySession: boolean
  /** Rejects unless it answered 200 or 204. */
  tell(accountId: string, sid: string): Promise<void>
}

/** Undefined when the client is gone or does not listen. */
export type FindListener = (clientId: string) => Promise<Listener | undefined>

export interface Logouts {
  /** What the account was signed in to under an older epoch is to be told of it. Kept when this resolves. */
  ended(accountId: string, epoch: number): Promise<void>
  /** One relying party is to be told; `reason`: why it could not be told just now, while its user signed out. Kept when this resolves. */
  tell(party: Party, reason?: string): Promise<void>
  /** Begins to send: the process that mounted the provider. */
  start(find: FindListener): void
  /** Resolves when nothing is on its way, within some seconds; what is left waits in the store. */
  stop(): Promise<void>
}

interface Log {
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
  error(facts: object, text: string): void
}

const LOOK_EVERY = 2000
/** Longer than a job can take; after a crash another process does it then (at least once). */
const LEASE = 30_000
const LANES = 8
const REMEMBERED = 10_000
/** A request in flight may save a session of the old epoch once more, under another id: it is looked for again. */
const ONCE_MORE = 60_000
const FIRST_RETRY = 2000
const RETRY_AFTER = [FIRST_RETRY, 5000, 15_000, 60_000, 300_000]

/** Never the message: it may hold the address of the relying party, and that a secret. */
export function reasonOf(error: unknown): string {
  const { response, code, name } = Object(error) as { response?: { status?: unknown }; code?: unknown; name?: unknown }
  if (typeof response?.status === 'number') return `status_${response.status}`
  if (name === 'TimeoutError' || name === 'AbortError') return 'timeout'
  return typeof code === 'string' && /^\w+$/.test(code) ? code.toLowerCase() : 'failed'
}

export function createLogouts(options: {
  store: Pick<Store, 'logouts' | 'rows'>
  keys: { seal: KeyRing }
  chance: Chance
  /** To the trail and to listeners; idempotent by event id. */
  audit: (event: AuditEvent) => Promise<void>
  log: Log
  every?: (period: Time, run: () => void) => () => void
}): Logouts {
  const { store, keys, chance, audit, log, every = interval } = options
  const paces: Pace = pace(chance)
  /** Jobs whose failure is in the trail. */
  const failed = new Set<string>()
  let find: FindListener | undefined
  let cease: (() => void) | undefined
  let running: Promise<void> | undefined
  let again = false
  let stopping = false
  let failing = false

  /** Writes the jobs of each party before the rows go: whenever this dies, it is done again from the start. */
  async function gather(job: MailJob, accountId: string, epoch: number): Promise<void> {
    const rows = await store.rows.older('Session', accountId, epoch)
    const parties = rows.flatMap((row) => readable(() => partiesOf(keys.seal, accountId, row)) ?? [])
    for (const party of parties) {
      const listener = await find?.(party.clientId).catch(() => 'unknown' as const)
      if (!listener) continue
      const whole = listener !== 'unknown' && !listener.bySession ? epoch : undefined
      await store.logouts.put(partyJob(keys.seal, party, chance.now(), whole))
    }
    await store.rows.removeOlder(accountId, epoch)
    if (job.attempts === 1) await store.logouts.retry(job.id, chance.now() + ONCE_MORE)
    else await store.logouts.remove(job.id)
  }

  function readable<Result>(read: () => Result): Result | undefined {
    try {
      return read()
    } catch (error) {
      log.error({ err: error }, 'what is kept of a session cannot be opened; its relying parties are not told')
      return undefined
    }
  }

  const event = (job: MailJob, { accountId, clientId: client }: Party, reason?: string): AuditEvent => ({
    id: `${job.id}.${reason === undefined ? 'told' : reason === 'expired' ? 'expired' : 'failed'}`,
    kind: 'relying-party.notified',
    outcome: reason === undefined ? 'success' : 'failure',
    at: chance.now(),
    accountId,
    client,
    ...(reason !== undefined && { reason }),
  })

  /** The audit trail first: what died before the job was removed is sent again, what was sent is never untold. */
  async function over(job: MailJob, party: Party, reason?: string): Promise<void> {
    await audit(event(job, party, reason))
    await store.logouts.remove(job.id)
    failed.delete(job.id)
  }

  async function send(job: MailJob): Promise<void> {
    const party = readable(() => readParty(keys.seal, job))
    if (!party) return store.logouts.remove(job.id)
    const facts = { client: party.clientId, attempts: job.attempts }
    if (chance.now() >= job.expiresAt) {
      log.error(facts, 'a relying party could not be told of a sign-out, and is not told any more')
      return over(job, party, 'expired')
    }
    const later = paces.wait(party.clientId)
    if (later !== undefined) return store.logouts.retry(job.id, later)
    const ended = paces.begin(party.clientId)
    let listener: Listener | undefined
    try {
      listener = await find?.(party.clientId)
      await listener?.tell(party.accountId, party.sid)
    } catch (error) {
      const reason = reasonOf(error)
      // An answer that refuses is an answer: others of this party may fare better.
      const resting = ended(reason.startsWith('status_4') ? 'well' : 'failed')
      const after = RETRY_AFTER[job.attempts - 1] ?? 900_000
      log.warn({ ...facts, reason }, 'a relying party could not be told of a sign-out; it is tried again')
      // Once: the next ones are the same news.
      if (!failed.has(job.id)) await audit(event(job, party, reason))
      if (failed.size >= REMEMBERED) failed.clear()
      failed.add(job.id)
      return store.logouts.retry(job.id, Math.max(chance.now() + after, resting))
    }
    ended('well')
    if (!listener) return store.logouts.remove(job.id)
    await over(job, party)
  }

  async function lane(): Promise<void> {
    for (;;) {
      if (stopping) return
      const now = chance.now()
      const job = await store.logouts.lease(now, now + LEASE)
      if (!job) return
      const whose = readEnded(job.id)
      await (whose ? gather(job, whose.accountId, whose.epoch) : send(job))
      // What a job put is due now.
      if (whose) kick()
    }
  }

  async function drain(): Promise<void> {
    const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane))
    const broken = lanes.find((one) => one.status === 'rejected')
    if (broken && !failing) log.error({ err: broken.reason }, 'the queue of sign-outs cannot be worked off')
    failing = broken !== undefined
  }

  function kick(): void {
    if (!find || stopping) return
    if (running) {
      again = true
      return
    }
    again = false
    running = drain().finally(() => {
      running = undefined
      if (again) kick()
    })
  }

  async function put(job: MailJob): Promise<void> {
    await store.logouts.put(job)
    kick()
  }

  return {
    ended: (accountId, epoch) => put(endedJob(accountId, epoch, chance.now())),
    async tell(party, reason) {
      const job = partyJob(keys.seal, party, chance.now())
      if (reason === undefined) return put(job)
      // That was the first try: it is in the trail once, and the next one waits.
      failed.add(job.id)
      await put({ ...job, dueAt: chance.now() + FIRST_RETRY })
      await audit(event(job, party, reason))
    },
    start(listeners) {
      find = listeners
      cease ??= every(LOOK_EVERY, kick)
      kick()
    },
    async stop() {
      stopping = true
      cease?.()
      await running
    },
  }
}

const interval = (period: Time, run: () => void): (() => void) => {
  const timer = setInterval(run, period).unref()
  return () => clearInterval(timer)
}
