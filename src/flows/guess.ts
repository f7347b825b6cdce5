// Guesses: every budget is asked, in the store, before anything is compared. The only way to judge a secret.
import type { Budget } from '../domain/budget.ts'
import { budgets as table } from '../domain/budget.ts'
import { type Problem, type ProblemCode, Unavailable } from '../domain/problems.ts'
import type { Account, FlowRecord } from '../domain/types.ts'
import type { Facts, Tools } from './flow.ts'
import { event } from './flow.ts'

export interface Guess {
  /** Complete key: what is guessed and whose it is. */
  key: string
  budget: Budget
  refused: ProblemCode
  /** The same id again within what the budget remembers is the same guess: judged, not counted. */
  id?: string
}

/** `inRow` of each budget after this guess; 0 where a repeat was not counted. */
export interface Admitted {
  inRow: readonly number[]
}

/** The source's budget; IPv6 counts by /64. It is a guess against everybody, so it stands in front. */
const source = (facts: Facts): Guess => ({
  key: `source:${facts.visit.address}`,
  budget: table.source,
  refused: 'too_many_requests',
})

/**
 * Admits the guess to all budgets, then judges it. A right answer gives its hits back; a wrong one leaves them spent
 * (TH-7, TO-5). The count in a row ends only when the flow is complete (`settle`): a right password with a wrong second
 * factor resets nothing (TH-9). What was never compared, because another budget or the hash queue refused,
 * is given back, so that a flood prolongs nothing.
 */
export async function guarded<Result extends object>(
  facts: Facts,
  tools: Tools,
  guesses: readonly Guess[],
  judge: (admitted: Admitted) => Promise<{ right: boolean; result: Result }>,
): Promise<Result | Problem> {
  const taken: { key: string; hit: string }[] = []
  const giveBack = (): Promise<unknown> => Promise.all(taken.map(({ key, hit }) => tools.budgets.refund(key, hit)))
  const inRow: number[] = []
  for (const guess of [source(facts), ...guesses]) {
    const hit = guess.id ?? tools.chance.random(9).toString('base64url')
    const admission = await tools.budgets.admit(guess.key, guess.budget, facts.now, hit)
    if (admission.admitted) {
      taken.push({ key: guess.key, hit })
      if (guess.key !== taken[0]?.key) inRow.push(admission.inRow)
      continue
    }
    if (admission.why === 'repeat') {
      inRow.push(0)
      continue
    }
    await giveBack()
    await refused(facts, tools, guess)
    return { problem: guess.refused, ...(admission.until !== undefined && { until: admission.until }) }
  }
  try {
    const { right, result } = await judge({ inRow })
    if (right) facts.visit.beside(giveBack())
    return result
  } catch (error) {
    // Not compared (the hash queue is full): it was no guess. Anything else stays spent: closed, not open.
    if (error instanceof Unavailable && error.code === 'busy') await giveBack()
    throw error
  }
}

/** The flow is complete: what was counted in a row for the methods it used starts anew. The windows stay. */
export const settle = async (record: FlowRecord, tools: Tools): Promise<void> => {
  const keys = new Set(record.evidence.flatMap(({ counted }) => counted ?? []))
  await Promise.all([...keys].map((key) => tools.budgets.settle(key, '')))
}

/** A completed reset or unlock ends the password's waits, in every browser. */
export const clearWaits = async (account: Account, tools: Tools): Promise<void> => {
  const keys = ['', ...account.browsers.map((browser) => `:${browser}`)]
  await Promise.all(keys.map((key) => tools.budgets.clear(`password:${account.id}${key}`)))
}

/** At most one event per account, budget and minute: a flood must not fill the audit trail. */
async function refused(facts: Facts, tools: Tools, guess: Guess): Promise<void> {
  const minute = Math.floor(facts.now / 60_000)
  const id = tools.digest(`${guess.key}:${minute}`, 'refused').slice(0, 32)
  await tools.audit.append([
    event(facts, tools, 'guess.refused', {
      id,
      outcome: 'failure',
      reason: guess.refused,
      ...(facts.account && { accountId: facts.account.id }),
      detail: { budget: guess.key.split(':')[0] },
    }),
  ])
}
