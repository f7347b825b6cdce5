// selfService(): builds the parts, and gives a host three verbs: configure, mount, on.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Middleware } from 'koa'
import { changed } from './domain/accounts.ts'
import { opaqueId, referenceNumber } from './domain/codes.ts'
import type { Chance, Mailer } from './domain/ports.ts'
import type { AuditEvent } from './domain/types.ts'
import { clientPolicy } from './domain/policy.ts'
import { REGISTRATION } from './flows/registration.ts'
import { jar } from './http/cookies.ts'
import { keepFault, surround } from './http/middleware.ts'
import { providerPages } from './http/provider-pages.ts'
import type { Dress } from './http/respond.ts'
import { routes } from './http/routes.ts'
import { storeAdapter } from './oidc/adapter.ts'
import { statusOf } from './oidc/answers.ts'
import { mergeConfiguration } from './oidc/configure.ts'
import { nothingToEnd } from './oidc/logout-nobody.ts'
import { listening } from './oidc/logout-provider.ts'
import { selfClientId } from './oidc/self-client.ts'
import type { Log, SelfService, SelfServiceOptions } from './options.ts'
import { buildParts } from './parts.ts'
import { createSmtpMailer } from './senders/mail.ts'
import { outgoingFetch } from './senders/outgoing.ts'

export type { Log, SelfService, SelfServiceOptions } from './options.ts'

const quiet: Log = { info: () => undefined, warn: () => undefined, error: (facts, text) => console.error(text, facts) }
const HOUR = 3_600_000

const real: Chance = { now: () => Date.now(), random: (bytes) => randomBytes(bytes) }

/**
 * Sends over `smtp:` (STARTTLS required unless the host is loopback) or `smtps:`. `from`: "Name <address>".
 * @throws when the address or the sender is malformed.
 */
export const smtp = (url: string, from: string): Mailer => createSmtpMailer({ url, from, chance: real })

/** @throws when the policy is bad, the keys do not fit the store, or the store is not reachable: nothing runs half. */
export async function selfService(options: SelfServiceOptions): Promise<SelfService> {
  const { store, log = quiet, chance = real } = options
  const { proxyHops = 0, session = { absolute: 24 * HOUR, idle: HOUR } } = options
  const parts = await buildParts(options, { log, chance })
  const {
    issuer,
    service,
    methods,
    keys,
    views,
    policy,
    accounts,
    drain,
    emitter,
    post,
    logouts,
    scope,
    keyed,
    tools,
    notices,
  } = parts
  const prefix = issuer.pathname.replace(/\/$/, '')

  const genuine = (text: string, signature: string, context: string): boolean => {
    const expected = Buffer.from(keyed(text, context))
    const given = Buffer.from(signature)
    return expected.length === given.length && timingSafeEqual(expected, given)
  }
  const https = issuer.protocol === 'https:'
  const dress: Dress = {
    views,
    jar: jar({ sign: keyed, genuine, https, path: prefix === '' ? '/' : prefix }),
    service,
    assets: `${prefix}/self-service`,
    policy: policy.current,
    now: chance.now,
  }

  let authorization = '/auth'
  let endSession = '/session/end'
  /** A host with a directory that takes no passwords has nothing to change here. */
  const mayChange = options.directory === undefined || options.directory.setPassword !== undefined
  const mayRequest = (clientId: string, prompt: string): boolean =>
    (mayChange || prompt === REGISTRATION) &&
    (clientId === selfClientId || clientPolicy(policy.current(), clientId).prompts.includes(prompt))

  post.start()
  drain.start()

  return {
    accounts,
    keys,
    configure(host) {
      authorization = host.routes?.authorization ?? authorization
      endSession = host.routes?.end_session ?? endSession
      return mergeConfiguration(host, {
        keys,
        issuer: options.issuer,
        service,
        scope,
        judging: { account: scope.account, policy: policy.current, traits: methods, now: chance.now, mayRequest },
        adapter: storeAdapter(store.rows, keys, chance),
        pages: providerPages(dress),
        prefix,
        session,
        firstParty: options.firstParty ?? (() => false),
        fetch: outgoingFetch(options.outgoing?.networks ?? []),
      })
    },
    mount(provider) {
      if (proxyHops > 0) provider.proxy = true
      const reference = (): string => referenceNumber(chance)
      const first = surround({ dress, https, scope, refreshPolicy: policy.refresh, reference, log })
      const router = routes({
        provider,
        tools,
        dress,
        issuer,
        prefix,
        hops: proxyHops,
        authorization: () => authorization,
        endSession: () => endSession,
        notMe: notices.notMe,
        ended: logouts.tell,
        policy: policy.current,
      })
      provider.use(first)
      provider.use(nothingToEnd)
      provider.use(router.routes() as unknown as Middleware)
      provider.on('server_error', keepFault)
      listening(provider, { logouts, chance, audit: tools.audit.append, log })
      // A courtesy to relying parties that read no ID token; what they can trust is the claim.
      provider.on('authorization.success', (ctx, out) => {
        const status = statusOf(ctx)
        if (status && out) out['action_status'] = status
      })
    },
    on: (kind, listener) => void emitter.on(kind, listener),
    async signOut(accountId) {
      const account = await accounts.find(accountId)
      // Nobody can be it any more, so all of its sessions are dead.
      if (!account) return logouts.ended(accountId, Number.MAX_SAFE_INTEGER)
      const event: AuditEvent = {
        id: opaqueId(chance),
        kind: 'account.signed-out',
        outcome: 'success',
        at: chance.now(),
        accountId,
        actor: 'host',
      }
      await accounts.change(account, (fresh) => changed({ ...fresh, epoch: fresh.epoch + 1 }, event))
      scope.forget(accountId)
    },
    async ready() {
      const up = await store.ping().then(
        () => true,
        () => false,
      )
      return { store: up, mail: post.healthy() }
    },
    async close() {
      await drain.stop()
      await Promise.all([logouts.stop(), post.stop()])
      emitter.removeAllListeners()
    },
  }
}
