// The public names of the package, nothing else.
export { type LivePolicy, livePolicy } from './config/live.ts'
export { parseRootKeys } from './domain/keys.ts'
export type { Policy } from './domain/policy.ts'
export type {
  AccountStore,
  AuditFilter,
  AuditStore,
  BudgetStore,
  Chance,
  ClaimStore,
  Directory,
  FlowStore,
  Mail,
  Mailer,
  MailStore,
  ProviderRow,
  ProviderRows,
  Store,
} from './domain/ports.ts'
export { Unavailable } from './domain/problems.ts'
export type { Account, AuditEvent, Credential, EventKind, FlowRecord, Person } from './domain/types.ts'
export { acr } from './flows/finish.ts'
export type { Visit } from './flows/flow.ts'
export { type Log, type SelfService, type SelfServiceOptions, selfService, smtp } from './plugin.ts'
export { openStore } from './stores/open.ts'
