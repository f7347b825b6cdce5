// An authenticator that nobody holds, so that a name that leads nowhere walks through the same pages at the same cost.
import type { Credential } from '../../domain/types.ts'
import { decoyBytes, decoyId } from '../decoy.ts'
import type { Turn } from '../method.ts'
import { type Authenticator, ID, sealedSecret } from './credential.ts'

const SECRET_BYTES = 20

/** Every step of it is used already: it never proves, not even by a lucky guess. */
export function decoy({ vault }: Pick<Turn, 'vault' | 'chance'>): Credential<Authenticator> {
  const id = decoyId(ID)
  const sealed = sealedSecret(vault, id, decoyBytes(vault, ID, 'secret').subarray(0, SECRET_BYTES))
  return { id, method: ID, label: '', addedAt: 0, data: { sealed, lastStep: Number.MAX_SAFE_INTEGER } }
}
