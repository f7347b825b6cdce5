// What a host hands to selfService(), and what it gets.
import type { Configuration, Provider } from 'oidc-provider'
import type { LivePolicy } from './config/live.ts'
import type { Accounts } from './domain/accounts.ts'
import type { Keys } from './domain/keys.ts'
import type { Policy } from './domain/policy.ts'
import type { Chance, Directory, Mailer, Store } from './domain/ports.ts'
import type { Account, AuditEvent, EventKind } from './domain/types.ts'
import type { Visit } from './flows/flow.ts'

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
  /**
   * What this provider may call although it is not public (loopback, private and the like) when a client's metadata names
   * it: networks such as `10.0.0.0/8`; default none.
   */
  outgoing?: { networks: readonly string[] }
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
