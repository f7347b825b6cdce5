// Binding an authenticator app: show a new secret, and bind it once a code of it was typed.
import { opaqueId } from '../../domain/codes.ts'
import type { Time } from '../../domain/types.ts'
import type { Ceremony, Enrolled, Turn } from '../method.ts'
import { type Authenticator, ID, labelOf, sealedSecret } from './credential.ts'
import { base32, codeTyped, fromBase32, newSecret, otpauthUri, stepsOf } from './oath.ts'
import { qrCode } from './qr.ts'

/** A secret that waits to be confirmed. It lives in the flow alone, so it proves nothing elsewhere (TO-6). */
interface Pending {
  secret: string
  credential: string
  since: Time
  wrong: number
}

const PENDING_LIFE = 600_000
/** From the third wrong code on the phone's clock is the likeliest reason. */
export const CLOCK_HINT_FROM = 3

const fresh = ({ chance }: Turn): Pending => ({
  secret: base32(newSecret(chance)),
  credential: opaqueId(chance),
  since: chance.now(),
  wrong: 0,
})

const bytes = (pending: Pending): Buffer => fromBase32(pending.secret) ?? Buffer.alloc(0)

export const enrol: Ceremony<Pending, Enrolled> = {
  begin: async (turn) => ({ keep: fresh(turn) }),
  view(pending, { service, account }) {
    const uri = otpauthUri({ secret: bytes(pending), issuer: service.name, account: account.username })
    return { secret: pending.secret.match(/.{1,4}/g)?.join(' ') ?? '', uri, svg: qrCode(uri) }
  },
  async answer(pending, input, turn) {
    if (turn.chance.now() > pending.since + PENDING_LIFE) return { problem: 'code_expired', keep: fresh(turn) }
    if ((input['code'] ?? '').trim() === '') return { problem: 'code_missing' }
    const code = codeTyped(input['code'])
    const step = code === undefined ? undefined : stepsOf(bytes(pending), code, turn.chance.now()).at(-1)
    if (step === undefined) {
      const wrong = pending.wrong + 1
      return { problem: wrong >= CLOCK_HINT_FROM ? 'wrong_code_clock' : 'wrong_code', keep: { ...pending, wrong } }
    }
    // The code that confirmed is used: it does not also sign in.
    const sealed = sealedSecret(turn.vault, pending.credential, bytes(pending))
    const data: Authenticator = { sealed, lastStep: step }
    return { credential: { id: pending.credential, method: ID, label: labelOf(input['label']), data } }
  },
}
