// Rows of the provider's adapter in MongoDB.
import type { ProviderRow, ProviderRows } from '../../domain/ports.ts'
import { DAY } from '../kept.ts'
import { fromText, key, toText } from '../text.ts'
import { again } from './run.ts'
import type { Models, RowDocument } from './schemas.ts'

function read(row: RowDocument | null): ProviderRow | undefined {
  if (!row) return undefined
  const { _id, model: _model, removeAt: _removeAt, payload: text, consumed, ...rest } = row
  const payload = fromText<Record<string, unknown>>(text ?? '{}')
  return { ...rest, payload: consumed === undefined ? payload : { ...payload, consumed } }
}

/** Sets what is there and removes what is not. */
function assign(fields: Record<string, unknown>): { $set: Record<string, unknown>; $unset: Record<string, 1> } {
  const entries = Object.entries(fields)
  return {
    $set: Object.fromEntries(entries.filter(([, value]) => value !== undefined)),
    $unset: Object.fromEntries(entries.filter(([, value]) => value === undefined).map(([name]) => [name, 1])),
  }
}

const text = (value: string | undefined): string | undefined => (value === undefined ? undefined : key(value))

export function rows({ rows: model }: Models): ProviderRows {
  const one = (name: string, id: string) => ({ _id: `${key(name)}:${key(id)}`, model: key(name) })
  /** A row without a stamp is dead as well (`ProviderRow.stamp`). */
  const dead = (accountId: string, epoch: number) => ({
    accountId: key(accountId),
    $or: [{ stamp: { $exists: false } }, { stamp: { $lt: epoch } }],
  })

  return {
    upsert: async (name, id, row, expiresAt) => {
      const { payload, accountId, grantId, uid, userCode, stamp } = row
      const links = { accountId: text(accountId), grantId: text(grantId), uid: text(uid), userCode: text(userCode) }
      const removeAt = expiresAt === undefined ? undefined : new Date(expiresAt + DAY)
      const { consumed } = payload
      // $min: a stamp is never raised, and what was consumed stays so, even when a request in flight saves an older state.
      const least = { ...(stamp !== undefined && { stamp }), ...(typeof consumed === 'number' && { consumed }) }
      const update = { ...assign({ payload: toText(payload), ...links, expiresAt, removeAt }), $min: least }
      await again(() => model.updateOne(one(name, id), update, { upsert: true }))
    },
    find: async (name, id) => read(await model.findOne(one(name, id)).lean<RowDocument>()),
    findBy: async (name, by, value) => {
      const filter = { model: key(name), ...(by === 'uid' ? { uid: key(value) } : { userCode: key(value) }) }
      return read(await model.findOne(filter).sort({ expiresAt: -1 }).lean<RowDocument>())
    },
    consume: async (name, id, at) => {
      const filter = { ...one(name, id), consumed: { $exists: false } }
      return (await model.updateOne(filter, { $set: { consumed: at } })).matchedCount === 1
    },
    destroy: async (name, id) => {
      await model.deleteOne(one(name, id))
    },
    revokeByGrantId: async (grantId) => {
      await model.deleteMany({ grantId: key(grantId) })
    },
    older: async (name, accountId, epoch) => {
      const found = await model.find({ model: key(name), ...dead(accountId, epoch) }).lean<RowDocument[]>()
      return found.flatMap((row) => read(row) ?? [])
    },
    removeOlder: async (accountId, epoch) => (await model.deleteMany(dead(accountId, epoch))).deletedCount,
  }
}
