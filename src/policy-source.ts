// The policy of the moment, wherever it comes from, and one audit event for each change, however many processes see it.
import type { LivePolicy } from './config/live.ts'
import { differences } from './config/differences.ts'
import type { Policy } from './domain/policy.ts'
import type { AuditStore, Chance, ClaimStore } from './domain/ports.ts'
import type { AuditEvent } from './domain/types.ts'

export interface PolicySource {
  current(): Policy
  /** Before each request: the next request sees an edit. Never rejects. */
  refresh(): Promise<void>
}

const CLAIM = 'policy'
interface Stands {
  count: number
  policy: Policy
  event?: AuditEvent
}

const isLive = (policy: Policy | LivePolicy): policy is LivePolicy => 'refresh' in policy

export function policySource(options: {
  policy: Policy | LivePolicy
  claims: ClaimStore
  audit: AuditStore
  chance: Chance
  log: { error(facts: object, text: string): void }
}): PolicySource {
  const { policy, claims, audit, chance, log } = options
  const current = (): Policy => (isLive(policy) ? policy.current() : policy)
  let recorded: Policy | undefined

  /**
   * One exchange, won by one process; the event stands in it, so that whoever looks next can still tell it to the trail when
   * the winner died before (LG-3). The trail keeps one of an id.
   */
  async function record(next: Policy): Promise<void> {
    const standing = await claims.claim(CLAIM, JSON.stringify({ count: 0, policy: next } satisfies Stands))
    const before = JSON.parse(standing) as Stands
    if (before.event) await audit.append([before.event])
    const changes = differences(before.policy, JSON.parse(JSON.stringify(next)))
    if (changes.length === 0) return
    const count = before.count + 1
    const event: AuditEvent = {
      id: `policy-${count}`,
      kind: 'policy.changed',
      outcome: 'success',
      at: chance.now(),
      actor: 'policy',
      detail: {
        changes: changes.map(({ path, from, to }) => ({ option: path, from: from ?? null, to: to ?? null })),
      },
    }
    const won = await claims.swap(CLAIM, standing, JSON.stringify({ count, policy: next, event } satisfies Stands))
    // Another process was quicker: with the same change there is nothing left to tell, with another one there is.
    if (!won) return record(next)
    return audit.append([event])
  }

  return {
    current,
    async refresh() {
      if (isLive(policy)) await policy.refresh()
      const now = current()
      if (now === recorded) return
      const before = recorded
      recorded = now
      try {
        await record(now)
      } catch (error) {
        // The policy holds even when the trail cannot be written now; the next request tries again.
        recorded = before
        log.error({ err: error }, 'a change of policy could not be recorded yet')
      }
    },
  }
}

/** What is told of an edit that did not take effect. */
export const refusals = (log: {
  warn(facts: object, text: string): void
  error(facts: object, text: string): void
}) => ({
  onRefused: (sentences: readonly string[]) =>
    log.error({ sentences }, 'the edited policy is refused; the one before stays in force'),
  onRestart: (restart: readonly string[]) => log.warn({ options: restart }, 'these options change with a restart'),
})
