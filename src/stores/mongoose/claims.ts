// Things decided once for all processes, in MongoDB: the thing is the document's `_id`.
import type { ClaimStore } from '../../domain/ports.ts'
import { DAY } from '../kept.ts'
import { key } from '../text.ts'
import { again } from './run.ts'
import type { ClaimDocument, Models } from './schemas.ts'

export function claims({ claims: model }: Models): ClaimStore {
  const find = async (id: string): Promise<string | undefined> =>
    (await model.findById(key(id)).lean<ClaimDocument>())?.value

  return {
    claim: async (id, value, expiresAt) => {
      const end = expiresAt === undefined ? {} : { removeAt: new Date(expiresAt + DAY) }
      const update = { $setOnInsert: { value: key(value), ...end } }
      const options = { upsert: true, returnDocument: 'after' } as const
      const stands = await again(() => model.findOneAndUpdate({ _id: key(id) }, update, options).lean<ClaimDocument>())
      return stands?.value ?? value
    },
    find,
    swap: async (id, from, to) => {
      const { matchedCount } = await model.updateOne({ _id: key(id), value: key(from) }, { $set: { value: key(to) } })
      return matchedCount === 1
    },
  }
}
