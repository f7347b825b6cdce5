// Budgets in MongoDB: the rule of `domain/budget.ts` written as the condition of one write.
import { type Admission, admission, type Budget, remembered, type Streak } from '../../domain/budget.ts'
import type { BudgetStore } from '../../domain/ports.ts'
import { Unavailable } from '../../domain/problems.ts'
import type { Time } from '../../domain/types.ts'
import { mattersUntil, nothing, removableAt, rowLength } from '../kept.ts'
import { key } from '../text.ts'
import { unlessTaken } from './run.ts'
import type { BudgetDocument, Models } from './schemas.ts'

type Condition = Record<string, unknown>

/** Counts in a row for which no wait applies, or whose wait is over. */
function streakConditions({ limit, waits }: Streak, at: Time): Condition[] {
  const open: Condition[] = waits.map(({ wait }, index) => {
    const from = Math.max(1, waits[index]?.from ?? 1)
    const next = waits[index + 1]
    return {
      inRow: next ? { $gte: from, $lt: next.from } : { $gte: from },
      ...(wait > 0 && { lastAt: { $lte: at - wait } }),
    }
  })
  const noWaitYet = { inRow: { $not: { $gte: Math.max(1, waits[0]?.from ?? Number.MAX_SAFE_INTEGER) } } }
  return [{ inRow: { $not: { $gte: limit } } }, { $or: [noWaitYet, ...open] }]
}

/** True of exactly those records that `admission()` admits (`$not` and `$ne` hold for what is absent as well). */
export function conditions({ windows = [], streak, remember = 0 }: Budget, at: Time, hit: string): Condition[] {
  return [
    ...Array.from({ length: remember }, (_, index) => ({ [`hits.${index}.id`]: { $ne: hit } })),
    ...windows.map(({ limit, period }) => ({ [`hits.${limit - 1}.at`]: { $not: { $gt: at - period } } })),
    ...(streak ? streakConditions(streak, at) : []),
  ]
}

/** Between a refusal and the look at why, another process may have given a hit back: then it is tried again. */
const ROUNDS = 10

export function budgets({ budgets: model }: Models): BudgetStore {
  /** The count in a row; undefined when the condition does not hold: the upsert then meets the record that stands there. */
  async function spend(_id: string, budget: Budget, at: Time, hit: string): Promise<number | undefined> {
    const removeAt = removableAt(budget, at)
    const only = conditions(budget, at, hit)
    const update: object = {
      $push: {
        hits: { $each: [{ at, id: hit }], $position: 0, $slice: remembered(budget) },
        row: { $each: [hit], $position: 0, $slice: rowLength(budget) },
      },
      $inc: { inRow: 1 },
      $set: { lastAt: at },
      $max: { mattersUntil: mattersUntil(budget, at), ...(removeAt !== undefined && { removeAt: new Date(removeAt) }) },
      ...(removeAt === undefined && { $unset: { removeAt: 1 as const } }),
    }
    // The driver's own call: casting so many conditions costs mongoose more than the write, and floods come this way.
    const filter: object = { _id, ...(only.length > 0 && { $and: only }) }
    const options = { upsert: true, returnDocument: 'after', projection: { inRow: 1 } } as const
    const written = await unlessTaken(() => model.collection.findOneAndUpdate(filter, update, options), null)
    return written ? Number(written['inRow']) : undefined
  }

  return {
    admit: async (name, budget, at, hit): Promise<Admission> => {
      const [_id, id] = [key(name), key(hit)]
      for (let round = 0; round < ROUNDS; round++) {
        const inRow = await spend(_id, budget, at, id)
        if (inRow !== undefined) return { admitted: true, inRow }
        const answer = admission((await model.findById(_id).lean<BudgetDocument>()) ?? nothing, budget, at, id)
        if (!answer.admitted) return answer
      }
      throw new Unavailable('busy', 'a budget is asked by too many at once')
    },
    refund: async (name, hit) => {
      const [_id, id] = [key(name), key(hit)]
      const { matchedCount } = await model.updateOne(
        { _id, row: id, inRow: { $gt: 0 } },
        { $pull: { hits: { id }, row: id }, $inc: { inRow: -1 } },
      )
      // A success came in between: the hit is in the windows only.
      if (matchedCount === 0) await model.updateOne({ _id, 'hits.id': id }, { $pull: { hits: { id } } })
    },
    settle: async (name, hit) => {
      await model.updateOne({ _id: key(name) }, { $pull: { hits: { id: key(hit) } }, $set: { row: [], inRow: 0 } })
    },
    clear: async (name) => {
      await model.deleteOne({ _id: key(name) })
    },
  }
}
