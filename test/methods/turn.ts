// A turn as the runner would make it, with an account whose changes are applied like the store would.
import { randomBytes } from 'node:crypto'
import { isProblem, type Problem } from '../../src/domain/problems.ts'
import { vaultFor } from '../../src/domain/seal.ts'
import type { Account, Credential } from '../../src/domain/types.ts'
import type { AnyCeremony, Change, Enrolled, Method, Proven, Turn } from '../../src/methods/method.ts'
import { type TestChance, testChance } from '../domain/chance.ts'

const keys = {
  seal: [{ id: 's', key: randomBytes(32) }] as const,
  digest: [{ id: 'd', key: randomBytes(32) }] as const,
}

export interface Bench {
  chance: TestChance
  account: Account
  turn(method: Method, flow?: string, purpose?: Turn['purpose']): Turn
  /** Binds what was enrolled and answers its id. */
  bind(enrolled: Enrolled): string
  /** Applies a change; the problem when the account refuses. */
  apply(change: Change): string | undefined
}

export function bench(id = 'alice', chance = testChance()): Bench {
  const one: Bench = {
    chance,
    account: {
      id,
      version: 1,
      username: id,
      usernameKey: id,
      email: `${id}@example.org`,
      emailVerified: true,
      groups: [],
      disabled: false,
      epoch: 1,
      credentials: [],
      grace: { skips: 0, coveredUntil: 0, snoozedUntil: 0 },
      browsers: [],
      outbox: [],
      addedAt: 0,
    },
    turn: (method, flow = 'flow-1', purpose = 'second-factor') => ({
      account: one.account,
      credentials: one.account.credentials.filter((credential) => credential.method === method.id),
      flow,
      purpose,
      service: { name: 'Example', issuer: 'https://login.example.org' },
      vault: vaultFor(keys, one.account.id),
      chance,
    }),
    bind({ credential }) {
      const bound: Credential = {
        addedAt: chance.now(),
        ...credential,
        id: credential.id ?? randomBytes(8).toString('hex'),
      }
      // Through JSON, as a store would: nothing may hang on object identity.
      one.account = { ...one.account, credentials: JSON.parse(JSON.stringify([...one.account.credentials, bound])) }
      return bound.id
    },
    apply(change) {
      const next = change(one.account)
      if (isProblem(next)) return next.problem
      one.account = next
      return undefined
    },
  }
  return one
}

/** Begins a ceremony and answers what it keeps, through JSON as the runner would. */
export async function begun<Result>(ceremony: AnyCeremony<Result>, turn: Turn, kept?: unknown) {
  const answer = await ceremony.begin?.(turn, kept)
  if (!answer) throw new Error('nothing to begin')
  if (isProblem(answer)) throw new Error(answer.problem)
  const keep: unknown = JSON.parse(JSON.stringify(answer.keep))
  return { keep, send: answer.send, code: String(answer.send?.values['code']) }
}

/** The problem's code, or `ok`. */
export const outcome = (answer: object): string => (isProblem(answer) ? answer.problem : 'ok')

export function enrolled(answer: Enrolled | Problem): Enrolled {
  if (isProblem(answer)) throw new Error(answer.problem)
  return answer
}

export function proven(answer: Proven | Problem): Proven {
  if (isProblem(answer)) throw new Error(answer.problem)
  return answer
}
