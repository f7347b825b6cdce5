// Stand-ins for the methods: what configuration has to know of them.
import type { MethodTraits } from '../../src/domain/policy.ts'

export const traits: readonly MethodTraits[] = [
  { id: 'totp', serves: ['second-factor', 'recovery'], kind: 'totp', standalone: true, always: false },
  { id: 'email', serves: ['recovery'], kind: 'delivered', standalone: false, always: false },
  {
    id: 'recovery-codes',
    serves: ['second-factor', 'recovery'],
    kind: 'recovery-codes',
    standalone: false,
    always: true,
  },
]
