// The queue of outgoing mail: sealed, kept in the store, sent by whichever process leases it, tried again until it expires.
import type { Chance, Mail, Mailer, MailJob, MailStore } from '../domain/ports.ts'
import { type KeyRing, open, seal } from '../domain/seal.ts'
import type { Time } from '../domain/types.ts'

/** As pino's: facts first, then the sentence. Facts never hold an address or a text. */
export interface PostLog {
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
  error(facts: object, text: string): void
}

/** Node's own, unless a test turns the clock by hand. */
export interface Timers {
  /** Answers what ends it. */
  every(period: Time, run: () => void): () => void
}

export interface Post {
  /** Queues a mail once per id; it is sealed before it is stored. Nothing is sent before `kick` or the next look. */
  put(id: string, mail: Mail, expiresAt: Time): Promise<void>
  /** Sends what is due, now, without being waited for: called after the response, so that its time tells nothing (EM-3). */
  kick(): void
  /** Looks for due mails every two seconds: retries, and what other processes left behind. */
  start(): void
  /** Sends what is due once more, and resolves when nothing is on its way. */
  stop(): Promise<void>
  /** False while mails do not go out. */
  healthy(): boolean
}

const LOOK_EVERY = 2000
/** Longer than a send can take; after a crash another process sends again then (at least once). */
const LEASE = 60_000
/** As many as the connections of the pool. */
const LANES = 4
const RETRY_AFTER = [2000, 5000, 15_000, 30_000, 60_000]

/** After the `attempts`-th failure. */
export const retryAfter = (attempts: number): Time => RETRY_AFTER[Math.max(0, attempts - 1)] ?? 60_000

const isPermanent = (error: unknown): error is { permanent: true; cause?: unknown } =>
  typeof error === 'object' && error !== null && 'permanent' in error && error.permanent === true

/** Never the message itself: servers quote addresses in it. */
const cause = (error: unknown): object => {
  const known: { name?: unknown; code?: unknown; responseCode?: unknown } =
    typeof error === 'object' && error !== null ? error : {}
  const { name, code, responseCode } = known
  return { error: name, code, responseCode }
}

const nodeTimers: Timers = {
  every(period, run) {
    const timer = setInterval(run, period).unref()
    return () => clearInterval(timer)
  },
}

export function createPost(options: {
  mails: MailStore
  mailer: Mailer
  keys: { seal: KeyRing }
  chance: Chance
  log: PostLog
  timers?: Timers
}): Post {
  const { mails, mailer, keys, chance, log, timers = nodeTimers } = options
  let cease: (() => void) | undefined
  let running: Promise<void> | undefined
  let again = false
  let stopping = false
  let storeFailed = false

  async function giveUp(job: MailJob, why: string, facts: object = {}): Promise<void> {
    await mails.remove(job.id)
    log.error({ mail: job.id, attempts: job.attempts, ...facts }, why)
  }

  /** True when the next mail may be tried right away. */
  async function deliver(job: MailJob): Promise<boolean> {
    if (chance.now() >= job.expiresAt) {
      await giveUp(job, 'a mail expired before it could be sent')
      return true
    }
    try {
      const mail: Mail = JSON.parse(open(keys.seal, job.sealed, ['mail', job.id]))
      // A letter to nobody: it was queued so that a name without an owner costs the same work (EM-4).
      if (mail.to !== '') await mailer.send(mail)
    } catch (error) {
      if (isPermanent(error)) {
        await giveUp(job, 'a mail was refused for good', cause(error.cause ?? error))
        return true
      }
      const dueAt = chance.now() + retryAfter(job.attempts)
      if (dueAt >= job.expiresAt) await giveUp(job, 'a mail could not be sent before it expired', cause(error))
      else {
        await mails.retry(job.id, dueAt)
        log.warn(
          { mail: job.id, attempts: job.attempts, ...cause(error) },
          'a mail could not be sent and is tried again',
        )
      }
      return false
    }
    await mails.remove(job.id)
    return true
  }

  async function lane(): Promise<void> {
    for (;;) {
      const now = chance.now()
      const job = await mails.lease(now, now + LEASE)
      if (!job) return
      const sent = await deliver(job)
      // On the way out a server that does not answer is not tried mail by mail.
      if (stopping && !sent) return
    }
  }

  async function drain(): Promise<void> {
    const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane))
    const failed = lanes.find((one) => one.status === 'rejected')
    if (failed && !storeFailed) log.error(cause(failed.reason), 'the mail queue cannot be read or written')
    storeFailed = failed !== undefined
  }

  /** One drain at a time; what is put meanwhile gets a drain of its own. */
  function kick(): void {
    if (running) {
      again = true
      return
    }
    again = false
    running = drain().finally(() => {
      running = undefined
      if (again && !stopping) kick()
    })
  }

  return {
    async put(id, { to, subject, text, html }, expiresAt) {
      const sealed = seal(keys.seal, JSON.stringify({ to, subject, text, html }), ['mail', id])
      await mails.put({ id, sealed, dueAt: chance.now(), expiresAt, attempts: 0 })
    },
    kick: () => {
      if (!stopping) kick()
    },
    start() {
      cease ??= timers.every(LOOK_EVERY, kick)
    },
    async stop() {
      stopping = true
      cease?.()
      await running
      await drain()
    },
    healthy: () => !storeFailed && mailer.healthy(),
  }
}
