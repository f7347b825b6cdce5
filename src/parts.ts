// Builds what stands behind the pages: keys, policy, accounts, mail, notices, and the tools that flows work with.
import { EventEmitter } from 'node:events'
import { availableParallelism } from 'node:os'
import { livePolicy } from './config/live.ts'
import { accountsOver } from './domain/accounts.ts'
import { usernameKey } from './domain/codes.ts'
import { guardedDirectory } from './domain/directory.ts'
import { loadKeys } from './domain/keys.ts'
import type { Chance } from './domain/ports.ts'
import { digest, vaultFor } from './domain/seal.ts'
import type { AuditEvent } from './domain/types.ts'
import type { Tools } from './flows/flow.ts'
import { createViews } from './http/render.ts'
import { createMethods } from './methods/index.ts'
import { createNotices } from './notices.ts'
import { createLogouts } from './oidc/logout.ts'
import { requestScope } from './oidc/scope.ts'
import type { Log, SelfServiceOptions } from './options.ts'
import { drainage } from './outbox.ts'
import { createGate, hashesAtOnce } from './passwords/gate.ts'
import { createPasswords } from './passwords/hash.ts'
import { createCommonList, createScreen } from './passwords/screen.ts'
import { policySource, refusals } from './policy-source.ts'
import { createPost } from './senders/post.ts'

/** libuv's pool, which bcrypt shares with DNS and files; set the variable before the process starts. */
const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)

/** Everything that stands behind the pages. @throws when the policy is bad or the keys do not fit the store. */
export async function buildParts(options: SelfServiceOptions, { log, chance }: { log: Log; chance: Chance }) {
  const { store, mailer, trustGate, passwordCost = 12 } = options
  const directory = options.directory && guardedDirectory(options.directory)
  const issuer = new URL(options.issuer)
  const service = { name: options.service?.name ?? issuer.hostname, issuer: options.issuer }
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
  const emit = (event: AuditEvent): void => {
    // A listener of the host's that fails is the host's failure, not the user's.
    for (const kind of [event.kind, '*']) {
      try {
        emitter.emit(kind, event)
      } catch (error) {
        log.error({ err: error, kind }, 'a listener failed')
      }
    }
  }
  const drain = drainage({
    store,
    chance,
    log,
    change: (account, apply) => accounts.change(account, apply),
    tell: (account, event) => notices.tell(account, event),
    ended: (accountId, epoch) => logouts.ended(accountId, epoch),
    heard: emit,
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
  const audited = async (events: readonly AuditEvent[]): Promise<void> => {
    await store.audit.append(events)
    for (const event of events) emit(event)
  }
  const logouts = createLogouts({ store, keys, chance, audit: (event) => audited([event]), log })
  const keyed = (text: string, context: string): string => digest(keys.digest, text, ['flows', context])

  const tools: Tools = {
    service,
    accounts: {
      ...accounts,
      find: scope.found,
      // What this request saw before is not what it wrote.
      change: (account, apply) => accounts.change(account, apply).finally(() => scope.forget(account.id)),
    },
    directory,
    methods,
    flows: store.flows,
    budgets: store.budgets,
    audit: { ...store.audit, append: audited },
    passwords: createPasswords({
      keys: keys.prehash,
      cost: passwordCost,
      pool: createGate({ atOnce: hashesAtOnce(availableParallelism(), threads) }),
    }),
    screen: createScreen({
      common: createCommonList(),
      banned: () => policy.current().password.banned,
      service: () => [service.name, issuer.hostname],
      breached: {
        url: () => policy.current().password.breached,
        failed: (error) =>
          log.warn({ err: error }, 'the breached-password service did not answer; the shipped list decided'),
      },
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
  const notices = createNotices({
    store,
    accounts,
    policy: policy.current,
    issuer: options.issuer,
    chance,
    sign: (text) => keyed(text, 'not-me'),
    post: tools.post,
  })

  return {
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
  }
}
