// Every method, one line each, strongest first: the order in which they are offered.
import type { Time } from '../domain/types.ts'
import { email } from './email/index.ts'
import type { Method } from './method.ts'
import { recoveryCodes } from './recovery-codes/index.ts'
import { totp } from './totp/index.ts'

const MINUTE = 60_000

export interface MethodOptions {
  /** How long a mailed code is good, in milliseconds; 10 minutes. */
  codeLife?: Time
}

export const createMethods = ({ codeLife = 10 * MINUTE }: MethodOptions = {}): readonly Method[] => [
  totp,
  recoveryCodes,
  email({ codeLife }),
]
