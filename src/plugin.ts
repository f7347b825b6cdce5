// selfService(): builds the parts, and gives a host three verbs: configure, mount, on.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { availableParallelism } from 'node:os'
import type { Middleware } from 'koa'
import type { Configuration, Provider } from 'oidc-provider'
import { type LivePolicy, livePolicy } from './config/live.ts'
import { type Accounts, accountsOver, changed } from './domain/accounts.ts'
import { opaqueId, referenceNumber, usernameKey } from './domain/codes.ts'
import { guardedDirectory } from './domain/directory.ts'
import { type Keys, loadKeys } from './domain/keys.ts'
import type { Policy } from './domain/policy.ts'
import type { Chance, Directory, Mailer, Store } from './domain/ports.ts'
import { isProblem } from './domain/problems.ts'
import { digest, vaultFor } from './domain/seal.ts'
import type { Account, AuditEvent, EventKind } from './domain/types.ts'
import type { Tools, Visit } from './flows/flow.ts'
import { jar } from './http/cookies.ts'
import { keepFault, surround } from './http/middleware.ts'
import { providerPages } from './http/provider-pages.ts'
import { createViews } from './http/render.ts'
import type { Dress } from './http/respond.ts'
import { routes } from './http/routes.ts'
import { createMethods } from './methods/index.ts'
import { storeAdapter } from './oidc/adapter.ts'
import { mergeConfiguration } from './oidc/configure.ts'
import { requestScope } from './oidc/scope.ts'
import { drainage } from './outbox.ts'
import { createGate, hashesAtOnce } from './passwords/gate.ts'
import { createPasswords } from './passwords/hash.ts'
import { policySource, refusals } from './policy-source.ts'
import { createSmtpMailer } from './senders/mail.ts'
import { createPost } from './senders/post.ts'

export interface Log {
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
  error(facts: object, text: string): void
}

export interface SelfServiceOptions {
  /** The provider's issuer. Links, the origin of forms and cookies follow it, never a request's Host. */
  issuer: string
  /** From `sqliteStore` or `mongooseStore`. */
  store: Store
  /** Root keys, 32 bytes each: the first seals, all open. */
  keys: readonly Buffer[]
  /** From `smtp(url, from)`, or anything that sends. */
  mailer: Mailer
  /** A policy, one that follows its file, or the file's name. */
  policy: Policy | LivePolicy | string
  service?: { name: string }
  /** A host's own users. Security info stays here, keyed by the directory's ids. */
  directory?: Directory
  /** For `registration.trustGate: predicate`. */
  trustGate?: (account: Account, visit: Visit) => Promise<boolean>
  /** Relying parties that need no consent page. */
  firstParty?: (clientId: string) => boolean
  /** bcrypt's cost, 10..15; default 12. */
  passwordCost?: number
  /** How many proxies of yours stand in front; default 0: X-Forwarded-For is not believed. */
  proxyHops?: number
  /** A folder of views and texts that replace ours file by file. */
  views?: string
  /** Milliseconds; default 24 hours, and 1 hour idle. */
  session?: { absolute: number; idle: number }
  log?: Log
  /** Time and chance, for tests. */
  chance?: Chance
}

export interface SelfService {
  /** A pure merge: prompts, checks, `findAccount`, claims, `acr` values, error and logout pages are added to a host's own configuration. */
  configure(host: Configuration): Configuration
  /** Adds routes and headers. Call it before the host's own `provider.use`. */
  mount(provider: Provider): void
  /** Hears of everything that happens, after it is committed. */
  on(kind: EventKind | '*', listener: (event: AuditEvent) => void): void
  /** The account's password or standing changed elsewhere: everything signed in before is dead. */
  signOut(accountId: string): Promise<void>
  /** Resolves when requests can be served now. */
  ready(): Promise<{ store: boolean; mail: boolean }>
  /** Finishes what is under way: events and mails. The store stays open; who opened it closes it. */
  close(): Promise<void>
  accounts: Accounts
  keys: Keys
}

const quiet: Log = { info: () => undefined, warn: () => undefined, error: (facts, text) => console.error(text, facts) }
const HOUR = 3_600_000
/** libuv's pool, which bcrypt shares with DNS and files; set the variable before the process starts. */
const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)

const real: Chance = { now: () => Date.now(), random: (bytes) => randomBytes(bytes) }

/**
 * Sends over `smtp:` (STARTTLS required unless the host is loopback) or `smtps:`. `from`: "Name <address>".
 * @throws when the address or the sender is malformed.
 */
export const smtp = (url: string, from: string): Mailer => createSmtpMailer({ url, from, chance: real })

/** @throws when the policy is bad, the keys do not fit the store, or the store is not reachable: nothing runs half. */
export async function selfService(options: SelfServiceOptions): Promise<SelfService> {
  const { store, mailer, trustGate, log = quiet, chance = real } = options
  const directory = options.directory && guardedDirectory(options.directory)
  const { passwordCost = 12, proxyHops = 0, session = { absolute: 24 * HOUR, idle: HOUR } } = options
  const issuer = new URL(options.issuer)
  const service = { name: options.service?.name ?? issuer.hostname, issuer: options.issuer }
  const prefix = issuer.pathname.replace(/\/$/, '')
  const methods = createMethods()
  const policyFile = options.policy
  const [keys, views, policyOption] = await Promise.all([
    loadKeys(store.claims, options.keys, chance),
    createViews(options.views === undefined ? {} : { overrides: options.views }),
    typeof policyFile === 'string' ? livePolicy(policyFile, { methods, ...refusals(log) }) : policyFile,
  ])
  const policy = policySource({ policy: policyOption, claims: store.claims, audit: store.audit, chance, log })
  await policy.refresh()

  const emitter = new EventEmitter()
  const drain = drainage({
    store,
    chance,
    log,
    change: (account, apply) => accounts.change(account, apply),
    heard: (event) => {
      emitter.emit(event.kind, event)
      emitter.emit('*', event)
    },
  })
  const accounts = accountsOver({
    store: store.accounts,
    directory,
    usernameKey,
    chance,
    committed: drain.soon,
    delivered: drain.delivered,
  })
  const post = createPost({ mails: store.mails, mailer, keys, chance, log })
  const scope = requestScope((id) => accounts.find(id))
  const keyed = (text: string, context: string): string => digest(keys.digest, text, ['flows', context])

  const tools: Tools = {
    service,
    accounts,
    directory,
    methods,
    flows: store.flows,
    budgets: store.budgets,
    claims: store.claims,
    audit: { ...store.audit, append: (events) => heard(store.audit.append(events), events) },
    passwords: createPasswords({
      keys: keys.prehash,
      cost: passwordCost,
      pool: createGate({ atOnce: hashesAtOnce(availableParallelism(), threads) }),
    }),
    vault: (accountId) => vaultFor(keys, accountId),
    digest: keyed,
    usernameKey,
    async post(letter, language, id) {
      const mail = views.mail(letter.template, language, { service: service.name, ...letter.values })
      await post.put(id, { to: letter.to, ...mail }, letter.expiresAt)
      // After the response, so that its time tells nothing (EM-3).
      setImmediate(post.kick)
    },
    mailHealthy: post.healthy,
    trustGate,
    chance,
  }
  async function heard(appended: Promise<void>, events: readonly AuditEvent[]): Promise<void> {
    await appended
    for (const event of events) {
      emitter.emit(event.kind, event)
      emitter.emit('*', event)
    }
  }

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

  post.start()
  drain.start()

  return {
    accounts,
    keys,
    configure: (host) =>
      mergeConfiguration(host, {
        keys,
        scope,
        judging: { account: scope.account, policy: policy.current, traits: methods, now: chance.now },
        adapter: storeAdapter(store.rows, keys, chance),
        pages: providerPages(dress),
        prefix,
        session,
        firstParty: options.firstParty ?? (() => false),
      }),
    mount(provider) {
      if (proxyHops > 0) provider.proxy = true
      const reference = (): string => referenceNumber(chance)
      const first = surround({ dress, https, scope, refreshPolicy: policy.refresh, reference, log })
      const router = routes({ provider, tools, dress, issuer, prefix, hops: proxyHops, policy: policy.current })
      provider.use(first)
      provider.use(router.routes() as unknown as Middleware)
      provider.on('server_error', keepFault)
    },
    on: (kind, listener) => void emitter.on(kind, listener),
    async signOut(accountId) {
      const account = await accounts.find(accountId)
      if (!account) return
      const event: AuditEvent = {
        id: opaqueId(chance),
        kind: 'account.signed-out',
        outcome: 'success',
        at: chance.now(),
        accountId,
        actor: 'host',
      }
      const written = await accounts.change(account, (fresh) => changed({ ...fresh, epoch: fresh.epoch + 1 }, event))
      scope.forget(accountId)
      // Everything older is dead already; this only tidies up.
      if (!isProblem(written)) await store.rows.removeOlder(accountId, written.epoch)
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
      await post.stop()
      emitter.removeAllListeners()
    },
  }
}
