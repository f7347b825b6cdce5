// The provider's side of sign-outs: which clients listen, and what became of the tokens that it sends by itself.
import type Provider from 'oidc-provider'
import { opaqueId } from '../domain/codes.ts'
import type { Chance } from '../domain/ports.ts'
import type { AuditEvent } from '../domain/types.ts'
import { type FindListener, type Logouts, reasonOf } from './logout.ts'

/** At run time a client sends its own logout tokens; this is the one place that asks it to beside a sign-out of the provider's. */
interface Sending {
  clientId: string
  backchannelLogoutUri?: string
  backchannelLogoutSessionRequired?: boolean
  backchannelLogout(accountId: string, sid: string): Promise<void>
}

const finder =
  (provider: Provider): FindListener =>
  async (clientId) => {
    const client = (await provider.Client.find(clientId)) as unknown as Sending | undefined
    if (client?.backchannelLogoutUri === undefined) return undefined
    return {
      bySession: client.backchannelLogoutSessionRequired === true,
      tell: (accountId, sid) => client.backchannelLogout(accountId, sid),
    }
  }

/** Begins to tell relying parties; what a sign-out page could not tell is told later. */
export function listening(
  provider: Provider,
  options: {
    logouts: Logouts
    chance: Chance
    audit: (events: readonly AuditEvent[]) => Promise<void>
    log: { warn(facts: object, text: string): void; error(facts: object, text: string): void }
  },
): void {
  const { logouts, chance, audit, log } = options
  const told = (accountId: string, client: string): AuditEvent => ({
    id: opaqueId(chance),
    kind: 'relying-party.notified',
    outcome: 'success',
    at: chance.now(),
    accountId,
    client,
  })
  const background = (work: Promise<unknown>): void =>
    void work.catch((error: unknown) => log.error({ err: error }, 'what became of a logout token was not kept'))

  provider.on('backchannel.success', (_ctx, { clientId }, accountId) => background(audit([told(accountId, clientId)])))
  provider.on('backchannel.error', (_ctx, error, { clientId }, accountId, sid) => {
    const reason = reasonOf(error)
    log.warn({ client: clientId, reason }, 'a relying party could not be told of a sign-out; it is tried again')
    background(logouts.tell({ accountId, clientId, sid }, reason))
  })
  logouts.start(finder(provider))
}
