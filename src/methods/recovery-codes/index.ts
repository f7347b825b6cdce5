// Recovery codes: ten of 120 bits, shown until acknowledged, kept as keyed digests, each used once.
import { budgets } from '../../domain/budget.ts'
import { recoveryCode, recoveryCodeTyped } from '../../domain/codes.ts'
import type { Credential, Time } from '../../domain/types.ts'
import { decoyDigest, decoyId } from '../decoy.ts'
import type { Ceremony, Change, Enrolled, Method, Proven, Turn } from '../method.ts'

const ID = 'recovery-codes'
const HOW_MANY = 10

interface CodeSet {
  codes: readonly { digest: string; usedAt?: Time }[]
}

interface Shown {
  codes: readonly string[]
  madeAt: Time
}

/** Sealed with the flow's step, and gone with the acknowledgement: nothing shows them again (RC-4). */
const enrol: Ceremony<Shown, Enrolled> = {
  // The set that was shown stays the set that will be bound, however often the step begins (RC-5).
  async begin({ chance }, kept) {
    return {
      keep: kept ?? { codes: Array.from({ length: HOW_MANY }, () => recoveryCode(chance)), madeAt: chance.now() },
    }
  },
  view: ({ codes, madeAt }) => ({ codes, date: new Date(madeAt).toISOString().slice(0, 10) }),
  async answer({ codes }, input, { vault }) {
    if (input['acknowledged'] !== 'yes') return { problem: 'not_acknowledged' }
    const plain = codes.map((code) => recoveryCodeTyped(code) ?? code)
    // 120 bits each: a keyed digest is enough, no slow hash is needed (RC-2, NIST SP 800-63B-4 3.1.2.2).
    const data: CodeSet = { codes: plain.map((code) => ({ digest: vault.digest(code, ID) })) }
    return { credential: { method: ID, label: '', data } }
  },
}

const isSet = (credential: Credential): credential is Credential<CodeSet> => credential.method === ID

const sets = ({ credentials }: Turn): Credential<CodeSet>[] =>
  credentials.filter(isSet).filter((credential) => !credential.disabled)

/** Marks one code as used; judged on the account as it is when it is written (RC-3). */
const spendCode =
  (id: string, digest: string, at: Time): Change =>
  (account) => {
    const credential = account.credentials.find((one) => one.id === id)
    const code =
      credential && isSet(credential) ? credential.data.codes.find((one) => one.digest === digest) : undefined
    if (!credential || credential.disabled || !isSet(credential) || !code) return { problem: 'account_changed' }
    if (code.usedAt !== undefined) return { problem: 'code_used' }
    const codes = credential.data.codes.map((one) => (one === code ? { ...one, usedAt: at } : one))
    const spent = { ...credential, lastUsedAt: at, data: { codes } }
    return { ...account, credentials: account.credentials.map((one) => (one === credential ? spent : one)) }
  }

/** Ten codes that nobody has: digests made for another field than the one in which typed codes are looked up. */
const decoy: Method['decoy'] = ({ vault }) => {
  const codes = Array.from({ length: HOW_MANY }, (_, index) => ({ digest: decoyDigest(vault, ID, String(index)) }))
  const data: CodeSet = { codes }
  return { id: decoyId(ID), method: ID, label: '', addedAt: 0, data }
}

/** What typed codes are compared with; in a reset never nothing, so that every name costs the same work (EM-4). */
function lookedAt(turn: Turn): Credential<CodeSet>[] {
  const own = sets(turn)
  return turn.purpose === 'recovery' && own.length === 0 ? [decoy(turn)].filter(isSet) : own
}

const prove: Ceremony<undefined, Proven> = {
  view(_kept, turn) {
    // Before the first proof nothing is told of the account (EM-6).
    if (turn.purpose === 'recovery') return {}
    const left = sets(turn)
      .flatMap(({ data }) => data.codes)
      .filter((code) => code.usedAt === undefined).length
    return { left }
  },
  limits: (_kept, { purpose }) => [
    {
      key: purpose === 'recovery' ? 'reset-recovery' : 'recovery',
      budget: budgets.recoveryCode,
      refused: 'too_many_codes',
      // 120 bits: a reset must stay open to an owner whose name others know (TH-3).
      ...(purpose === 'recovery' && { perSource: true as const }),
    },
  ],
  async answer(_kept, input, turn) {
    const typed = (input['code'] ?? '').trim()
    if (typed === '') return { problem: 'code_missing' }
    const code = recoveryCodeTyped(typed)
    if (code === undefined) return { problem: 'wrong_code' }
    for (const { id, data } of lookedAt(turn)) {
      const found = data.codes.find((one) => turn.vault.matches(code, one.digest, ID))
      if (!found) continue
      // Who has shown nothing yet is not told that a code was once right (RS-13).
      if (found.usedAt !== undefined) return { problem: turn.purpose === 'recovery' ? 'wrong_code' : 'code_used' }
      const change = spendCode(id, found.digest, turn.chance.now())
      return { credential: id, change, tells: 'recovery-code.spent' }
    }
    return { problem: 'wrong_code' }
  },
}

export const recoveryCodes: Method = {
  id: ID,
  kind: ID,
  serves: ['second-factor', 'recovery'],
  standalone: false,
  always: true,
  amr: ['otp'],
  atMost: 1,
  enrol,
  prove,
  decoy,
  describe: (credential) => credential.label,
}
