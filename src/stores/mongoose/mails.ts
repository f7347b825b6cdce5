// The queues of what leaves, mails and logout tokens, in MongoDB.
import type { Model } from 'mongoose'
import type { MailJob, MailStore } from '../../domain/ports.ts'
import { DAY, NEVER } from '../kept.ts'
import { key } from '../text.ts'
import type { MailDocument } from './schemas.ts'
import { inserted } from './write.ts'

const read = ({ _id, removeAt: _removeAt, ...job }: MailDocument): MailJob => ({ id: _id, ...job })

export function mails(model: Model<MailDocument>): MailStore {
  return {
    put: async ({ id, ...job }) => {
      await inserted(model, { _id: key(id), ...job, removeAt: new Date(job.expiresAt + DAY) })
    },
    lease: async (now, leaseUntil) => {
      const update = { $set: { dueAt: leaseUntil }, $inc: { attempts: 1 } }
      const options = { sort: { dueAt: 1, _id: 1 }, returnDocument: 'after' } as const
      const leased = await model.findOneAndUpdate({ dueAt: { $lte: now } }, update, options).lean<MailDocument>()
      return leased ? read(leased) : undefined
    },
    remove: async (id) => {
      await model.updateOne({ _id: key(id) }, { $set: { sealed: '', dueAt: NEVER } })
    },
    retry: async (id, dueAt) => {
      await model.updateOne({ _id: key(id), dueAt: { $lt: NEVER } }, { $set: { dueAt } })
    },
    size: async () => model.countDocuments({ dueAt: { $lt: NEVER } }),
  }
}
