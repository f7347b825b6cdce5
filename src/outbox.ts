// Brings the events of committed changes from the accounts' outboxes to the audit trail and to listeners, also after a crash.
import { type Accounts, changed } from './domain/accounts.ts'
import type { Chance, Store } from './domain/ports.ts'
import { isProblem } from './domain/problems.ts'
import type { Account, AuditEvent } from './domain/types.ts'

export interface Drainage {
  /** After a commit: drains in the background. */
  soon(account: Account): void
  /** Already in the trail: the next write of the account leaves it out, and nobody has to write for that alone. */
  delivered(event: AuditEvent): boolean
  start(): void
  /** Resolves when nothing is under way. */
  stop(): Promise<void>
}

const SWEEP_EVERY = 30_000
/** What is younger is being drained by the process that committed it. */
const SETTLED = 10_000
/** Accounts that are brought at once: few enough for requests to go on beside them. */
const SHARE = 20
/** Ids remembered as delivered; one that is forgotten is delivered again, which the trail does not mind. */
const REMEMBERED = 10_000

/** Events of writes that raised the epoch, or may have. */
export const raising: ReadonlySet<AuditEvent['kind']> = new Set<AuditEvent['kind']>([
  'password.reset',
  'password.changed',
  'password.activated',
  'account.signed-out',
  'account.disabled',
  'account.frozen',
  'account.updated',
  'account.invited',
  'account.deleted',
  'password.flagged',
  'registration.required',
])

export function drainage(options: {
  store: Store
  chance: Chance
  change: Accounts['change']
  /** Queues notices; idempotent by event id. */
  tell: (account: Account, event: AuditEvent) => Promise<void>
  /** Older sessions of the account are dead: relying parties are to be told, and the rows tidied. Idempotent. */
  ended: (accountId: string, epoch: number) => Promise<void>
  heard: (event: AuditEvent) => void
  log: { error(facts: object, text: string): void }
}): Drainage {
  const { store, chance, change, tell, ended, heard, log } = options
  const running = new Set<Promise<unknown>>()
  const underway = new Set<string>()
  const done = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let stopping = false

  /** The trail is idempotent by event id, so doing it twice after a crash does no harm. */
  async function drain(account: Account): Promise<void> {
    const events = account.outbox.filter(({ id }) => !done.has(id) && !underway.has(id))
    if (events.length === 0) return
    for (const { id } of events) underway.add(id)
    try {
      await store.audit.append(events)
      for (const event of events) await tell(account, event)
      if (events.some(({ kind }) => raising.has(kind))) await ended(account.id, account.epoch)
      // Only now: an event that leaves the outbox before it is in the trail would be lost by a crash (LG-3).
      for (const { id } of events) done.add(id)
    } finally {
      for (const { id } of events) underway.delete(id)
    }
    for (const event of events) heard(event)
    for (const id of done) {
      if (done.size <= REMEMBERED) break
      done.delete(id)
    }
  }

  function waits(error: unknown): false {
    log.error({ err: error }, 'events wait in the outbox')
    return false
  }

  function background(work: Promise<void>): void {
    const task = work.catch(waits).finally(() => running.delete(task))
    running.add(task)
  }

  /** False when the account changed meanwhile. */
  async function emptied(account: Account): Promise<boolean> {
    await drain(account)
    const written = await change(account, (fresh) => {
      const left = fresh.outbox.filter(({ id }) => !done.has(id))
      return left.length === fresh.outbox.length ? { problem: 'account_changed' } : changed({ ...fresh, outbox: left })
    })
    return !isProblem(written)
  }

  /** What a process that died or an import left behind, however much it is, and outboxes of accounts that nobody wrote since. */
  async function sweep(): Promise<void> {
    const now = chance.now()
    const later = new Set<string>()
    let found = SHARE
    while (found >= SHARE) {
      // Those that have to wait come first again and again: they must not hide the others.
      const some = (await store.accounts.withOutbox(later.size + SHARE)).filter(({ id }) => !later.has(id))
      if (stopping) return
      found = some.length
      await Promise.all(
        some.map(async (account) => {
          const settled = account.outbox.every(({ at }) => at < now - SETTLED)
          // One account whose notice cannot be made must not keep those of others.
          const gone = settled && (await emptied(account).catch(waits))
          if (!gone) later.add(account.id)
        }),
      )
    }
  }

  return {
    soon: (account) => background(drain(account)),
    delivered: ({ id }) => done.has(id),
    start() {
      const look = (): void => {
        background(sweep())
        background(store.tidy(chance.now()))
      }
      look()
      timer = setInterval(look, SWEEP_EVERY).unref()
    },
    async stop() {
      stopping = true
      clearInterval(timer)
      while (running.size > 0) await Promise.all(running)
    },
  }
}
