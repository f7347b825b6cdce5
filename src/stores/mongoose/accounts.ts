// Accounts in MongoDB: one document each, replaced where the version is the one that was read.
import type { AccountStore } from '../../domain/ports.ts'
import type { Account } from '../../domain/types.ts'
import { key } from '../text.ts'
import type { AccountDocument, Models } from './schemas.ts'
import { accountIn, accountOut } from './shape.ts'
import { inserted, replaced } from './write.ts'

export function accounts({ accounts: model }: Models): AccountStore {
  const read = (found: AccountDocument | null): Account | undefined => (found ? accountOut(found) : undefined)

  return {
    find: async (id) => read(await model.findById(key(id)).lean<AccountDocument>()),
    findByUsernameKey: async (name) => read(await model.findOne({ usernameKey: key(name) }).lean<AccountDocument>()),
    insert: async (account) => inserted(model, accountIn(account)),
    replace: async (account, version) => replaced(model, version, accountIn(account)),
    remove: async (id, version) => (await model.deleteOne({ _id: key(id), version })).deletedCount === 1,
    page: async (after, limit) => {
      const found = await model
        .find({ _id: { $gt: key(after ?? '') } })
        .sort({ _id: 1 })
        .limit(limit)
        .lean<AccountDocument[]>()
      return found.map(accountOut)
    },
    withOutbox: async (limit) => {
      const found = await model.find({ outboxed: true }).sort({ _id: 1 }).limit(limit).lean<AccountDocument[]>()
      return found.map(accountOut)
    },
  }
}
