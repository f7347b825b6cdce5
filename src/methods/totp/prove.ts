// Proving an authenticator app: any of the account's, by a code of a step that was not used yet.
import { budgets } from '../../domain/budget.ts'
import type { Ceremony, Proven, Turn } from '../method.ts'
import { AT_MOST, type Authenticator, disableAll, ID, isAuthenticator, secretOf, spendStep } from './credential.ts'
import { CLOCK_HINT_FROM } from './enrol.ts'
import { decoy } from './decoy.ts'
import { codeTyped, stepsOf } from './oath.ts'
import type { Credential } from '../../domain/types.ts'

/** Wrong codes typed in this step, for the hint only: what is allowed is the budgets' business. */
interface Tries {
  wrong: number
}

const usable = ({ credentials }: Turn): Credential<Authenticator>[] =>
  credentials.filter(isAuthenticator).filter((credential) => !credential.disabled)

/** In a reset every name costs the same work: a full set of authenticators is looked at, whoever has how many (EM-4). */
function lookedAt(turn: Turn): Credential<Authenticator>[] {
  const own = usable(turn)
  if (turn.purpose !== 'recovery') return own
  return [...own, ...Array<Credential<Authenticator>>(Math.max(0, AT_MOST - own.length)).fill(decoy(turn))]
}

export const prove: Ceremony<Tries | undefined, Proven> = {
  view: () => ({}),
  limits: (_tries, { purpose }) => [
    purpose === 'recovery'
      ? // A budget of its own: sign-in never depends on what strangers tried in a reset.
        { key: `reset-${ID}`, budget: budgets.authenticatorCodeInReset, refused: 'too_many_codes' }
      : { key: ID, budget: budgets.authenticatorCode, refused: 'too_many_codes', exhausted: disableAll },
  ],
  async answer(tries, input, turn) {
    if ((input['code'] ?? '').trim() === '') return { problem: 'code_missing' }
    const now = turn.chance.now()
    const code = codeTyped(input['code'])
    const matched = lookedAt(turn).flatMap((credential) => {
      // Opened even when the code cannot be right: a secret that cannot be read is never passed over in silence.
      const secret = secretOf(turn.vault, credential)
      const steps = code === undefined ? [] : stepsOf(secret, code, now)
      return steps.map((step) => ({ credential, step }))
    })
    const unused = matched.findLast(({ credential, step }) => step > credential.data.lastStep)
    if (unused) {
      const { credential, step } = unused
      return { credential: credential.id, change: spendStep(credential.id, step, now) }
    }
    // Who has shown nothing yet is not told that a code was once right (RS-13).
    if (matched.length > 0 && turn.purpose !== 'recovery') return { problem: 'code_used' }
    const wrong = (tries?.wrong ?? 0) + 1
    return { problem: wrong >= CLOCK_HINT_FROM ? 'wrong_code_clock' : 'wrong_code', keep: { wrong } }
  },
}
