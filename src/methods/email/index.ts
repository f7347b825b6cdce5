// E-mail addresses proven by a mailed code: for recovery and as the trust gate, never a factor of sign-in (OC-4).
import type { Account, Credential, Time } from '../../domain/types.ts'
import { decoyId } from '../decoy.ts'
import type { Ceremony, Enrolled, Method, Proven, Turn } from '../method.ts'
import { judge, mail, type Mailed, type MailedOptions, masked, shown, tries } from './code.ts'

const ID = 'email'

interface Address {
  address: string
}

/** Only an address that the operator vouches for: one typed here would prove nothing about its owner (EN-1). */
const onFile = ({ account }: Turn): string | undefined =>
  account.emailVerified && account.email !== undefined && account.email !== '' ? account.email : undefined

const enrolWith = (options: MailedOptions): Ceremony<Mailed, Enrolled> => ({
  async begin(turn, kept) {
    const address = onFile(turn)
    return address === undefined ? { problem: 'no_trusted_address' } : mail(turn, address, kept, options)
  },
  view: (kept, turn) => shown(kept, turn, options),
  limits: tries,
  async answer(kept, input, turn) {
    const problem = judge(kept, input, turn, options)
    if (problem) return problem
    if (onFile(turn) !== kept.address) return { problem: 'account_changed' }
    const data: Address = { address: kept.address }
    return { credential: { method: ID, label: masked(kept.address), data }, destination: kept.address }
  },
})

const isAddress = (credential: Credential): credential is Credential<Address> => credential.method === ID

const usable = ({ credentials }: Turn): Credential<Address>[] =>
  credentials.filter(isAddress).filter((credential) => !credential.disabled)

const used =
  (id: string, at: Time) =>
  (account: Account): Account | { problem: 'account_changed' } => {
    const found = account.credentials.some((one) => one.id === id && !one.disabled)
    if (!found) return { problem: 'account_changed' }
    const credentials = account.credentials.map((one) => (one.id === id ? { ...one, lastUsedAt: at } : one))
    return { ...account, credentials }
  }

const proving = ({ purpose }: Turn, life: Time): MailedOptions => ({
  life,
  purpose: purpose === 'recovery' ? 'reset' : 'prove',
})

/** The address of nobody: the runner queues a letter to it like any other, and it goes nowhere. */
const NOBODY = ''

const decoy: Method['decoy'] = () => {
  const data: Address = { address: NOBODY }
  return { id: decoyId(ID), method: ID, label: '', addedAt: 0, data }
}

const proveWith = ({ life }: Pick<MailedOptions, 'life'>): Ceremony<Mailed, Proven> => ({
  async begin(turn, kept) {
    const [credential] = usable(turn)
    if (credential) return mail(turn, credential.data.address, kept, proving(turn, life))
    // A reset never tells what an account lacks.
    return turn.purpose === 'recovery'
      ? mail(turn, NOBODY, kept, proving(turn, life))
      : { problem: 'method_unavailable' }
  },
  view: (kept, turn) => shown(kept, turn, { life }),
  limits: tries,
  async answer(kept, input, turn) {
    const problem = judge(kept, input, turn, proving(turn, life))
    if (problem) return problem
    const credential = usable(turn).find((one) => one.data.address === kept.address)
    if (!credential) return { problem: 'account_changed' }
    const change = used(credential.id, turn.chance.now())
    return { credential: credential.id, destination: kept.address, change }
  },
})

/** `codeLife`: how long a mailed code is good, in milliseconds (OC-1: at most 10 minutes by default). */
export const email = ({ codeLife }: { codeLife: Time }): Method => ({
  id: ID,
  /** One kind with everything that goes through a mailbox or a phone line. */
  kind: 'message',
  serves: ['recovery', 'bootstrap'],
  standalone: false,
  always: false,
  amr: [],
  atMost: 3,
  enrol: enrolWith({ life: codeLife, purpose: 'enrol' }),
  prove: proveWith({ life: codeLife }),
  decoy,
  describe: (credential) => credential.label,
})
