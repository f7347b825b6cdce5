// Whole documents written: cast and checked by their schema first, then inserted or replaced.
import type { Model } from 'mongoose'
import { unlessTaken } from './run.ts'

/**
 * The document as its schema casts it. Rejects when it holds a field that the schema does not know: an update cast by
 * mongoose alone drops a whole list when one of its parts has an unknown field.
 */
export async function shaped<Type extends object>(model: Model<Type>, plain: Type): Promise<object> {
  const document = new model(plain)
  await document.validate()
  return document.toObject({ minimize: false })
}

/** False when what must be unique is taken. */
export async function inserted<Type extends object>(model: Model<Type>, plain: Type): Promise<boolean> {
  const document = await shaped(model, plain)
  return unlessTaken(async () => (await model.collection.insertOne(document)).acknowledged, false)
}

/** Replaces the document where the stored version is `version`; false when it is not, or what must be unique is taken. */
export async function replaced<Type extends { _id: string }>(
  model: Model<Type>,
  version: number,
  plain: Type,
): Promise<boolean> {
  const document = await shaped(model, plain)
  const { _id: id } = plain
  const filter: object = { _id: id, version }
  return unlessTaken(async () => (await model.collection.replaceOne(filter, document)).matchedCount === 1, false)
}
