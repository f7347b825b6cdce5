// The server: store, keys, plugin and provider put together from the configuration, and taken down again in order.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Provider } from 'oidc-provider'
import { livePolicy } from '../config/live.ts'
import type { Loaded } from '../config/load.ts'
import { isLoopback } from '../config/rules.ts'
import type { Environment } from '../config/source.ts'
import type { Chance, Store } from '../domain/ports.ts'
import { secure } from '../http/guard.ts'
import { createMethods } from '../methods/index.ts'
import { type SelfService, selfService } from '../plugin.ts'
import { createSmtpMailer } from '../senders/mail.ts'
import { createOutbox } from '../senders/outbox.ts'
import { openStore } from '../stores/open.ts'
import { realChance } from './chance.ts'
import { checkClients, clientsOf, features, sameOriginAsClient } from './clients.ts'
import { health, issuerHostOnly } from './door.ts'
import { listen } from './listen.ts'
import type { Log } from './log.ts'
import { outboxPage } from './outbox-page.ts'
import { requestLog } from './request-log.ts'

export interface ServerOptions {
  /** Root keys, 32 bytes each. */
  roots: readonly Buffer[]
  log: Log
  chance?: Chance
  /** What `${NAME}` in the file means when it is read again; the process's own by default. */
  env?: Environment
  /** Called when everything is good, before the first request is taken. */
  prepare?: (store: Store, self: SelfService) => Promise<void>
  /** How the port is chosen, for the sentence when it is taken. */
  portOption?: string
}

export interface Server {
  /** The issuer. */
  url: string
  port: number
  self: SelfService
  /** No new connections; running requests, events and mails finish. */
  close: () => Promise<void>
}

/** @throws {ConfigError | KeysUnusable | StoreRefused | CannotStart} one sentence each; nothing stays open then. */
export async function startServer(config: Loaded, options: ServerOptions): Promise<Server> {
  const { log, roots, chance = realChance, env } = options
  for (const caution of config.cautions) log.warn({ caution }, `Note: ${caution}.`)
  await checkClients(config)
  const methods = createMethods()
  const policy = await livePolicy(config.file, {
    methods,
    ...(env && { env }),
    onRefused: (sentences) => log.error({ sentences }, 'the edited configuration is refused; the policy stays'),
    onRestart: (waiting) => log.warn({ options: waiting }, 'these options were changed but need a restart'),
  })

  /** What has to be closed, last opened first. */
  const open: (() => Promise<void>)[] = []
  const closeAll = async (): Promise<void> => {
    for (const close of open.toReversed()) await close()
  }
  try {
    const store = await openStore(config.store)
    open.push(() => store.close())
    const outbox = config.mail.url.startsWith('outbox:') ? createOutbox({ chance }) : undefined
    const mailer = outbox ?? createSmtpMailer({ ...config.mail, chance })
    open.push(() => mailer.close())
    const self = await selfService({
      issuer: config.issuer,
      store,
      keys: roots,
      mailer,
      policy,
      passwordCost: config.password.cost,
      proxyHops: config.proxy.hops,
      session: config.session,
      outgoing: config.outgoing,
      firstParty: (id) => config.clients[id]?.firstParty === true,
      ...(config.service.name !== undefined && { service: { name: config.service.name } }),
      ...(config.views !== undefined && { views: config.views }),
      log,
      chance,
    })
    open.push(() => self.close())

    const provider = providerOf(config, self)
    let stopping = false
    provider.use(requestLog(log))
    provider.use(async (ctx, next) => {
      secure(ctx, config.issuer.startsWith('https:'))
      await next()
    })
    const ready = async () => {
      const { store, mail } = await self.ready()
      return { ok: store, store, mail }
    }
    provider.use(health({ ready, stopping: () => stopping }))
    provider.use(issuerHostOnly(config.issuer, config.proxy.hops))
    if (outbox && isLoopback(config.listen.host)) provider.use(outboxPage(() => outbox.mails()))
    self.mount(provider)
    await options.prepare?.(store, self)

    const server = await listen(beneath(new URL(config.issuer).pathname, provider.callback()), {
      ...config.listen,
      ...(options.portOption !== undefined && { option: options.portOption }),
    })
    open.push(() => server.close())
    log.info({ issuer: config.issuer, port: server.port }, 'listening')
    return {
      url: config.issuer,
      port: server.port,
      self,
      async close() {
        stopping = true
        await closeAll()
      },
    }
  } catch (error) {
    await closeAll().catch((failure: unknown) => log.error({ err: failure }, 'closing failed'))
    throw error
  }
}

function providerOf(config: Loaded, self: SelfService): Provider {
  return new Provider(
    config.issuer,
    self.configure({
      clients: clientsOf(config),
      features,
      clientBasedCORS: sameOriginAsClient,
      // Without offline_access a refresh token dies with the session that it came from.
      issueRefreshToken: async (_ctx, client, code) =>
        client.grantTypeAllowed('refresh_token') &&
        (code.scopes.has('offline_access') || config.clients[client.clientId]?.firstParty === true),
    }),
  )
}

/** An issuer with a path is served beneath it: the provider finds the prefix in `originalUrl`. */
function beneath(
  path: string,
  handler: (request: IncomingMessage, response: ServerResponse) => unknown,
): RequestListener {
  const prefix = path.replace(/\/$/, '')
  if (!prefix) return (request, response) => void handler(request, response)
  return (request: IncomingMessage & { originalUrl?: string }, response) => {
    const address = request.url ?? '/'
    if (address === prefix || address.startsWith(`${prefix}/`) || address.startsWith(`${prefix}?`)) {
      request.originalUrl = address
      const rest = address.slice(prefix.length)
      request.url = rest.startsWith('/') ? rest : `/${rest}`
    }
    void handler(request, response)
  }
}
