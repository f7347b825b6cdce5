// Keeps mails in memory instead of sending them: for development and the demonstration only.
import type { Chance, Mail, Mailer } from '../domain/ports.ts'
import type { Time } from '../domain/types.ts'

export type KeptMail = Mail & { at: Time }

export interface Outbox extends Mailer {
  /** Oldest first. */
  mails(): readonly KeptMail[]
}

const KEEP = 200

export function createOutbox({ chance, keep = KEEP }: { chance: Chance; keep?: number }): Outbox {
  let kept: readonly KeptMail[] = []
  return {
    async send({ to, subject, text, html }) {
      kept = [...kept, { to, subject, text, html, at: chance.now() }].slice(-keep)
    },
    mails: () => kept,
    healthy: () => true,
    async close() {},
  }
}
