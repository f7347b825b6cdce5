// Brings the events of committed changes from the accounts' outboxes to the audit trail and to listeners, also after a crash.
import { type Accounts, changed } from './domain/accounts.ts'
import type { Chance, Store } from './domain/ports.ts'
import type { Account, AuditEvent } from './domain/types.ts'

export interface Drainage {
  /** After a commit: drains in the background. */
  soon(account: Account): void
  start(): void
  /** Resolves when nothing is under way. */
  stop(): Promise<void>
}

const SWEEP_EVERY = 30_000
/** What is younger is being drained by the process that committed it. */
const SETTLED = 10_000

/** Events of writes that raised the epoch. */
const raising: ReadonlySet<AuditEvent['kind']> = new Set<AuditEvent['kind']>([
  'password.reset',
  'password.changed',
  'password.activated',
  'account.signed-out',
  'account.disabled',
  'account.frozen',
])

export function drainage(options: {
  store: Store
  chance: Chance
  change: Accounts['change']
  /** Queues notices; idempotent by event id. */
  tell: (account: Account, event: AuditEvent) => Promise<void>
  heard: (event: AuditEvent) => void
  log: { error(facts: object, text: string): void }
}): Drainage {
  const { store, chance, change, tell, heard, log } = options
  const running = new Set<Promise<void>>()
  let timer: NodeJS.Timeout | undefined

  /** The trail is idempotent by event id, so doing it twice after a crash does no harm. */
  async function drain(account: Account): Promise<void> {
    await store.audit.append(account.outbox)
    for (const event of account.outbox) await tell(account, event)
    // Everything older than the epoch is dead already; this tidies up.
    if (account.outbox.some(({ kind }) => raising.has(kind))) await store.rows.removeOlder(account.id, account.epoch)
    for (const event of account.outbox) heard(event)
    const done = new Set(account.outbox.map(({ id }) => id))
    await change(account, (fresh) => {
      const left = fresh.outbox.filter(({ id }) => !done.has(id))
      return left.length === fresh.outbox.length ? { problem: 'account_changed' } : changed({ ...fresh, outbox: left })
    })
  }

  function background(work: Promise<void>): void {
    const task = work
      .catch((error: unknown) => log.error({ err: error }, 'events wait in the outbox'))
      .finally(() => running.delete(task))
    running.add(task)
  }

  async function sweep(): Promise<void> {
    const now = chance.now()
    const left = await store.accounts.withOutbox(100)
    for (const account of left) if (account.outbox.every(({ at }) => at < now - SETTLED)) await drain(account)
    await store.tidy(now)
  }

  return {
    soon: (account) => background(drain(account)),
    start() {
      background(sweep())
      timer = setInterval(() => background(sweep()), SWEEP_EVERY).unref()
    },
    async stop() {
      clearInterval(timer)
      while (running.size > 0) await Promise.all(running)
    },
  }
}
