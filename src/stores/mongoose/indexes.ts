// The indexes are part of the contract (DB-6): made at start, then read back and compared.
import mongoose, { type Collection, type Connection } from 'mongoose'
import { reason, StoreRefused } from '../refused.ts'

interface Index {
  key: Record<string, 1 | -1>
  unique?: true
  expireAfterSeconds?: number
  sparse?: true
}

/** `removeAt` holds the moment itself, a day after the document expired; the server may be late (DB-7). */
const removal: Index = { key: { removeAt: 1 }, expireAfterSeconds: 0 }

const wanted: Record<string, readonly Index[]> = {
  self_service_accounts: [
    { key: { usernameKey: 1 }, unique: true },
    { key: { outboxed: 1 }, sparse: true },
  ],
  self_service_flows: [removal],
  self_service_budgets: [removal, { key: { inRow: 1, mattersUntil: 1 } }],
  self_service_claims: [removal],
  self_service_audit: [{ key: { at: 1, _id: 1 } }, { key: { accountId: 1, at: 1, _id: 1 } }],
  self_service_mails: [removal, { key: { dueAt: 1, _id: 1 } }],
  self_service_logouts: [removal, { key: { dueAt: 1, _id: 1 } }],
  self_service_rows: [
    removal,
    { key: { uid: 1 }, sparse: true },
    { key: { userCode: 1 }, sparse: true },
    { key: { grantId: 1 }, sparse: true },
    { key: { accountId: 1 }, sparse: true },
  ],
}

const nameOf = (index: Index): string => Object.keys(index.key).join('_')

const same = (found: Record<string, unknown>, index: Index): boolean =>
  JSON.stringify(found['key']) === JSON.stringify(index.key) &&
  (found['unique'] ?? false) === (index.unique ?? false) &&
  found['expireAfterSeconds'] === index.expireAfterSeconds &&
  found['partialFilterExpression'] === undefined

async function make(collection: Collection, index: Index): Promise<void> {
  const { key, ...options } = index
  try {
    await collection.createIndex(key, { ...options, name: nameOf(index) })
  } catch (error) {
    const code = error instanceof mongoose.mongo.MongoServerError ? error.code : undefined
    const place = `${collection.collectionName}.${nameOf(index)}`
    if (code === 11_000) {
      const fix = 'remove the duplicates and start again'
      throw new StoreRefused(
        `two documents have the same value where ${place} must be unique (${reason(error)}); ${fix}`,
      )
    }
    // IndexOptionsConflict, IndexKeySpecsConflict: another index stands in its place.
    if (code === 85 || code === 86) throw wrong(place, error)
    throw error
  }
}

const wrong = (place: string, cause?: unknown): StoreRefused =>
  new StoreRefused(`the index ${place} is not what it must be; drop it (it is made anew at the next start)`, cause)

async function existing(collection: Collection): Promise<Record<string, unknown>[]> {
  try {
    return await collection.indexes()
  } catch (error) {
    // NamespaceNotFound: the collection does not exist yet.
    if (error instanceof mongoose.mongo.MongoServerError && error.code === 26) return []
    throw error
  }
}

/** The same fields or the same name, but not the same index. */
const stranger = (found: Record<string, unknown>, index: Index): boolean =>
  (found['name'] === nameOf(index) || JSON.stringify(found['key']) === JSON.stringify(index.key)) && !same(found, index)

/** Makes what is missing and refuses what is wrong; nothing of the administrator's is dropped or changed. */
export async function ensureIndexes(connection: Connection): Promise<void> {
  const each = async ([name, indexes]: [string, readonly Index[]]): Promise<void> => {
    const collection = connection.collection(name)
    const before = await existing(collection)
    for (const index of indexes) {
      if (before.some((found) => stranger(found, index))) throw wrong(`${name}.${nameOf(index)}`)
    }
    const absent = indexes.filter((index) => !before.some((found) => same(found, index)))
    if (absent.length === 0) return
    await Promise.all(absent.map((index) => make(collection, index)))
    const after = await existing(collection)
    for (const index of indexes) {
      if (!after.some((found) => same(found, index))) throw wrong(`${name}.${nameOf(index)}`)
    }
  }
  await Promise.all(Object.entries(wanted).map(each))
}
