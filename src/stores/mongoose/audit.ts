// The audit trail in MongoDB.
import mongoose from 'mongoose'
import type { AuditFilter, AuditStore } from '../../domain/ports.ts'
import { key } from '../text.ts'
import type { AuditDocument, Models } from './schemas.ts'
import { auditIn, auditOut } from './shape.ts'
import { shaped } from './write.ts'

/** Every event that could not be inserted was there already. */
function onlyTaken(error: unknown): boolean {
  if (!(error instanceof mongoose.mongo.MongoBulkWriteError)) return false
  const failures = [error.writeErrors].flat()
  return failures.length > 0 && failures.every((failure) => failure.code === 11_000)
}

export function audit({ audit: model }: Models): AuditStore {
  async function conditions(filter: AuditFilter): Promise<Record<string, unknown>[]> {
    const list: Record<string, unknown>[] = []
    if (filter.accountId !== undefined) list.push({ accountId: key(filter.accountId) })
    if (filter.kind !== undefined) list.push({ kind: key(filter.kind) })
    if (filter.from !== undefined) list.push({ at: { $gte: filter.from } })
    if (filter.to !== undefined) list.push({ at: { $lte: filter.to } })
    if (filter.after !== undefined) {
      const after = await model.findById(key(filter.after)).lean<AuditDocument>()
      if (!after) throw new RangeError(`audit: there is no event "${filter.after}"`)
      const { _id: id, at } = after
      list.push({ $or: [{ at: { $gt: at } }, { at, _id: { $gt: id } }] })
    }
    return list
  }

  return {
    append: async (events) => {
      if (events.length === 0) return
      const documents = await Promise.all(events.map((event) => shaped(model, auditIn(event))))
      try {
        await model.collection.insertMany(documents, { ordered: false })
      } catch (error) {
        if (!onlyTaken(error)) throw error
      }
    },
    query: async (filter, limit) => {
      const only = await conditions(filter)
      const found = await model
        .find(only.length > 0 ? { $and: only } : {})
        .sort({ at: 1, _id: 1 })
        .limit(limit)
        .lean<AuditDocument[]>()
      return found.map(auditOut)
    },
  }
}
