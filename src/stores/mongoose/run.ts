// Runs a verb against MongoDB: bounded in time, its errors translated.
import mongoose from 'mongoose'
import { Unavailable } from '../../domain/problems.ts'
import { reason } from '../refused.ts'
import type { Run } from '../shield.ts'
import { PATIENCE } from './connect.ts'

const { MongoError, MongoServerError } = mongoose.mongo

/** Our own mistakes: they must show as what they are. */
const ours = (error: unknown): boolean =>
  error instanceof mongoose.Error.StrictModeError ||
  error instanceof mongoose.Error.ValidationError ||
  error instanceof mongoose.Error.CastError

/** A system error of Node, such as EPIPE: the driver passes some of its sockets' on as they are. Known by its code, not its class. */
function ofSocket(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^E[A-Z]+$/.test(code)
}

export const duplicate = (error: unknown): boolean => error instanceof MongoServerError && error.code === 11_000

/** Resolves to what `insert` says when the value is new, else to `taken`. */
export async function unlessTaken<Result>(insert: () => Promise<Result>, taken: Result): Promise<Result> {
  try {
    return await insert()
  } catch (error) {
    if (duplicate(error)) return taken
    throw error
  }
}

/** An upsert that lost the race to insert finds the document when it tries again. */
export async function again<Result>(upsert: () => Promise<Result>): Promise<Result> {
  try {
    return await upsert()
  } catch (error) {
    if (duplicate(error)) return upsert()
    throw error
  }
}

const late = Symbol('late')

/** The driver's own limits add up when it retries: this one is for the whole verb (DB-8). */
export const run: Run = async (verb) => {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<typeof late>((resolve) => {
    timer = setTimeout(() => resolve(late), PATIENCE)
  })
  try {
    const answer = verb()
    // Whoever has stopped waiting does not hear of a later failure.
    answer.catch(() => undefined)
    const first = await Promise.race([answer, deadline])
    if (first === late) throw new Unavailable('unavailable', `the store did not answer within ${PATIENCE} ms`)
    return first
  } catch (error) {
    if (ours(error)) throw error
    if (error instanceof MongoError || error instanceof mongoose.Error || ofSocket(error)) {
      throw new Unavailable('unavailable', `the store failed: ${reason(error)}`, { cause: error })
    }
    throw error
  } finally {
    clearTimeout(timer)
  }
}
