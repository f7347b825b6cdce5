// A race of our own: a server whose conditional updates are not atomic would let one code be used twice.
import mongoose, { type Connection } from 'mongoose'
import { StoreRefused } from '../refused.ts'

const RUNNERS = 8
const ROUNDS = 3

/** One document, eight parallel updates under one condition, several times: exactly one may win each. */
export async function mustBeAtomic(connection: Connection, where: string): Promise<void> {
  const scratch = connection.collection<{ _id: string; round: number }>('self_service_checks')
  const id = new mongoose.Types.ObjectId().toHexString()
  await scratch.insertOne({ _id: id, round: 0 })
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const update = { $set: { round: round + 1 } }
      const runs = Array.from({ length: RUNNERS }, () => scratch.findOneAndUpdate({ _id: id, round }, update))
      const won = (await Promise.all(runs)).filter((document) => document !== null).length
      if (won !== 1) {
        const what = `of ${RUNNERS} parallel conditional updates ${won} succeeded instead of one`
        throw new StoreRefused(`the server at ${where} cannot be used: ${what}; use MongoDB itself`)
      }
    }
  } finally {
    await scratch.deleteOne({ _id: id })
  }
}
