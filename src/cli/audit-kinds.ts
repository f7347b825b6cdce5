// Every kind of event, so that a mistyped one is told. A kind that the type gains must be added here: the compiler says so.
import type { EventKind } from '../domain/types.ts'

const known: Record<EventKind, true> = {
  'sign-in.password': true,
  'sign-in.proof': true,
  'sign-in.locked': true,
  'sign-in.completed': true,
  'sign-in.cancelled': true,
  'registration.started': true,
  'registration.item': true,
  'registration.completed': true,
  'registration.skipped': true,
  'registration.cancelled': true,
  'registration.required': true,
  'trust-gate': true,
  'mail.requested': true,
  'password.rehashed': true,
  'password.reset': true,
  'password.changed': true,
  'password.activated': true,
  'password.flagged': true,
  'credential.disabled': true,
  'recovery-code.spent': true,
  'account.added': true,
  'account.signed-out': true,
  'account.unlocked': true,
  'account.updated': true,
  'account.deleted': true,
  'account.disabled': true,
  'account.enabled': true,
  'account.invited': true,
  'account.frozen': true,
  'account.thawed': true,
  'reset.started': true,
  'reset.gate': true,
  'reset.blocked': true,
  'policy.changed': true,
  'guess.refused': true,
  'relying-party.notified': true,
}

export const eventKinds: readonly string[] = Object.keys(known)
export const isEventKind = (text: string): text is EventKind => Object.hasOwn(known, text)
