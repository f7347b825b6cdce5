// Mailed codes: made, kept as keyed digests bound to address and flow, two at a time under one budget of tries (OC-3).
import { budgets } from '../../domain/budget.ts'
import { isMailedCode, mailedCode, opaqueId, typedDigits } from '../../domain/codes.ts'
import type { Problem } from '../../domain/problems.ts'
import type { Form, Time } from '../../domain/types.ts'
import type { Begun, Limit, Turn } from '../method.ts'

export interface Mailed {
  address: string
  /** Newest first. An expired one is kept so that the page can say "expired" instead of "wrong". */
  codes: readonly { digest: string; expiresAt: Time }[]
  sentAt: Time
  /** Names the budget of tries that these codes share. */
  generation: string
  /** Wrong answers seen by this step. The budget decides; this tells when it must be spent. */
  tries: number
}

/** `life`: of a code, in milliseconds. `purpose`: what the mail says it is for; a code for one is no code for another. */
export interface MailedOptions {
  life: Time
  purpose: 'enrol' | 'prove' | 'reset'
}

const AT_ONCE = 2
const RESEND_AFTER = budgets.mails.windows[0].period

/** The account is bound by the vault; flow and address here: a code of one transaction is of no use in another. */
const field = (turn: Turn, address: string, purpose: string): string =>
  JSON.stringify(['mailed-code', turn.flow, address, purpose])

/**
 * A new code. Asking again resets nothing: the code on its way stays good, and both share their tries, unless those are
 * spent or nothing of the earlier ones is left to guess. Without an address the same work is done, the letter goes to
 * nobody, and what is kept is the digest of 128 random bits, which no typed code matches (EM-4).
 */
export function mail(
  turn: Turn,
  address: string,
  before: Mailed | undefined,
  { life, purpose }: MailedOptions,
): Begun<Mailed> | Problem {
  const now = turn.chance.now()
  const earlier = before?.address === address ? before : undefined
  if (earlier && now < earlier.sentAt + RESEND_AFTER) {
    return { problem: 'too_many_mails', until: earlier.sentAt + RESEND_AFTER }
  }
  const live = earlier?.codes.filter((code) => now <= code.expiresAt) ?? []
  const goesOn = earlier && live.length > 0 && earlier.tries < budgets.mailedCode.streak.limit
  const code = mailedCode(turn.chance)
  const expiresAt = now + life
  const nobody = opaqueId(turn.chance)
  const made = { digest: turn.vault.digest(address === '' ? nobody : code, field(turn, address, purpose)), expiresAt }
  const keep: Mailed = {
    address,
    codes: [made, ...(goesOn ? live : [])].slice(0, AT_ONCE),
    sentAt: now,
    generation: goesOn ? earlier.generation : opaqueId(turn.chance),
    tries: goesOn ? earlier.tries : 0,
  }
  const values = { code, minutes: Math.round(life / 60_000), purpose }
  return { keep, send: { to: address, template: 'code', values, expiresAt } }
}

/** A reset has budgets of its own: the trust gate never depends on what strangers tried in one. */
export function tries(kept: Mailed, turn: Turn): readonly Limit[] {
  const reset = turn.purpose === 'recovery' ? 'reset-' : ''
  return [
    { key: `${reset}code:${turn.flow}:${kept.generation}`, budget: budgets.mailedCode, refused: 'too_many_codes' },
    { key: `${reset}codes`, budget: budgets.mailedCodes, refused: 'too_many_codes' },
  ]
}

/** Undefined when a live code was typed; the problem otherwise. */
export function judge(
  kept: Mailed,
  input: Form,
  turn: Turn,
  { purpose }: MailedOptions,
): (Problem & { keep?: Mailed }) | undefined {
  const typed = typedDigits(input['code'])
  if (typed === '') return { problem: 'code_missing' }
  const now = turn.chance.now()
  const at = field(turn, kept.address, purpose)
  const matched = isMailedCode(typed)
    ? kept.codes.find((code) => turn.vault.matches(typed, code.digest, at))
    : undefined
  if (matched && now <= matched.expiresAt) return undefined
  const expired = matched !== undefined || kept.codes.every((code) => now > code.expiresAt)
  return { problem: expired ? 'code_expired' : 'wrong_code', keep: { ...kept, tries: kept.tries + 1 } }
}

/** `alice@example.org` as `a…@example.org`. */
export function masked(address: string): string {
  const at = address.lastIndexOf('@')
  const [first = ''] = address
  return at < 1 ? '…' : `${first}…${address.slice(at)}`
}

/** What the page shows; in a reset nothing of the address, not even masked (EM-6). Another code from `resendAt` on. */
export const shown = (kept: Mailed, turn: Turn, { life }: Pick<MailedOptions, 'life'>) => ({
  ...(turn.purpose !== 'recovery' && { address: masked(kept.address) }),
  minutes: Math.round(life / 60_000),
  resendAt: kept.sentAt + RESEND_AFTER,
})
