// The audit trail read: all of it, its newest end, or what comes from now on.
import type { AuditFilter, AuditStore } from '../domain/ports.ts'
import type { AuditEvent, Time } from '../domain/types.ts'

const PAGE = 500
const HOUR = 3_600_000

/** In the order of the trail, page by page. */
export async function* every(audit: AuditStore, filter: AuditFilter): AsyncGenerator<AuditEvent> {
  let after: string | undefined
  for (;;) {
    const page = await audit.query({ ...filter, ...(after !== undefined && { after }) }, PAGE)
    yield* page
    after = page.at(-1)?.id
    if (after === undefined || page.length < PAGE) return
  }
}

/** The newest `limit` events, ascending. The trail is read forwards only, so the window grows until it holds enough. */
export async function newest(audit: AuditStore, filter: AuditFilter, limit: number, now: Time): Promise<AuditEvent[]> {
  const first = filter.from ?? 0
  for (let span = HOUR; ; span *= 4) {
    const from = Math.max(first, (filter.to ?? now) - span)
    let found: AuditEvent[] = []
    for await (const event of every(audit, { ...filter, from })) {
      found.push(event)
      if (found.length >= 2 * limit) found = found.slice(-limit)
    }
    if (found.length >= limit || from <= first) return found.slice(-limit)
  }
}

/**
 * An event reaches the trail a little after its time: drained in the background, swept up after a crash (a server looks
 * every 30 seconds at what is older than 10), or stamped by another machine's clock. So each look begins that far back.
 */
export const OVERLAP: Time = 120_000

/**
 * The newest `before` events, then what reaches the trail from now on, each event once. `next` waits for the time of the
 * next look, and answers false when it is over; `failed` hears of looks that failed: nothing is missed by them.
 */
export async function* following(
  audit: AuditStore,
  filter: Omit<AuditFilter, 'from' | 'to' | 'after'>,
  clock: { now(): Time; next(): Promise<boolean>; failed(error: unknown): void },
  before = 0,
): AsyncGenerator<AuditEvent> {
  const seen = new Map<string, Time>()
  let from = clock.now() - OVERLAP
  let failedAt = Number.NEGATIVE_INFINITY
  for await (const event of every(audit, { ...filter, from })) seen.set(event.id, event.at)
  if (before > 0) {
    for (const event of await newest(audit, filter, before, clock.now())) {
      seen.set(event.id, event.at)
      yield event
    }
  }
  while (await clock.next()) {
    const now = clock.now()
    try {
      for await (const event of every(audit, { ...filter, from })) {
        if (seen.has(event.id)) continue
        seen.set(event.id, event.at)
        yield event
      }
    } catch (error) {
      failedAt = now
      clock.failed(error)
      continue
    }
    // What was held up while the store was away is given the same time to arrive.
    if (now - failedAt > OVERLAP) from = Math.max(from, now - OVERLAP)
    for (const [id, at] of seen) if (at < from) seen.delete(id)
  }
}
