// Authenticator apps: six digits that change every 30 seconds (RFC 6238).
import type { Method } from '../method.ts'
import { AT_MOST, ID, importTotp } from './credential.ts'
import { decoy } from './decoy.ts'
import { enrol } from './enrol.ts'
import { prove } from './prove.ts'

export const totp: Method = {
  id: ID,
  kind: ID,
  serves: ['second-factor', 'recovery'],
  standalone: true,
  always: false,
  amr: ['otp'],
  atMost: AT_MOST,
  enrol,
  prove,
  decoy,
  describe: (credential) => credential.label,
  importRow: importTotp,
}
