// Connects to MongoDB with the guarantees that the product stands on, and refuses a connection string that waives them.
import mongoose, { type Connection } from 'mongoose'
import { StoreRefused, reason } from '../refused.ts'

/** Down means an error within about this long, in ms (DB-8). */
export const PATIENCE = 3000

/** The database of a connection string that names none. */
const DATABASE = 'self_service'

type Client = InstanceType<typeof mongoose.mongo.MongoClient>

function parse(uri: string): Client['options'] {
  try {
    return new mongoose.mongo.MongoClient(uri).options
  } catch (error) {
    const form = 'write mongodb://USER:PASSWORD@HOST:27017/DATABASE'
    throw new StoreRefused(`the MongoDB connection string is not valid (${reason(error)}); ${form}`, error)
  }
}

/** Decisions are read where they are written, and what was acknowledged survives a failover (CF-1, DB-2, DB-5). */
function refuseWaivers(options: Client['options'], uri: string): void {
  const { mode } = options.readPreference
  if (mode !== 'primary') {
    const why = 'a secondary may not know yet what was spent or revoked'
    throw new StoreRefused(
      `readPreference=${mode} is not allowed (${why}); leave it out or write readPreference=primary`,
    )
  }
  const { w, journal, j } = options.writeConcern ?? {}
  if (w !== undefined && w !== 'majority') {
    throw new StoreRefused(`w=${String(w)} is not allowed (a failover could undo it); leave it out or write w=majority`)
  }
  if (journal === false || j === false) {
    throw new StoreRefused('journal=false is not allowed (a crash could undo it); leave it out or write journal=true')
  }
  if (/[?&]retryWrites=false\b/i.test(uri)) {
    throw new StoreRefused('retryWrites=false is not allowed (a failover would look like a refusal); leave it out')
  }
}

const hosts = (options: Client['options']): string => options.srvHost ?? options.hosts.map(String).join(', ')

const denied = (error: unknown): boolean =>
  error instanceof mongoose.mongo.MongoServerError && (error.code === 18 || error.code === 13 || error.code === 8000)

/** Says why the database cannot be used; never with the password, which the connection string holds. */
export function unusable(where: string, error: unknown): StoreRefused {
  if (error instanceof StoreRefused) return error
  if (denied(error)) {
    const fix = 'check user, password and authSource, and that the user may read, write and make indexes'
    return new StoreRefused(`MongoDB at ${where} denies access (${reason(error)}); ${fix}`, error)
  }
  if (error instanceof mongoose.mongo.MongoCompatibilityError) {
    return new StoreRefused(`MongoDB at ${where} is too old (${reason(error)}); use 5.0 or later`, error)
  }
  const fix = 'check that it runs and that the address is right'
  return new StoreRefused(`MongoDB at ${where} cannot be reached (${reason(error)}); ${fix}`, error)
}

/** A connection of its own, and the hosts it goes to, for messages. */
export async function connect(uri: string): Promise<{ connection: Connection; where: string }> {
  const parsed = parse(uri)
  refuseWaivers(parsed, uri)
  const where = hosts(parsed)
  const named = /^[^/]+:\/\/[^/]+\/[^?]/.test(uri)
  const connection = mongoose.createConnection()
  try {
    await connection.openUri(uri, {
      ...(!named && { dbName: DATABASE }),
      autoCreate: false,
      autoIndex: false,
      bufferCommands: false,
      ignoreUndefined: true,
      readPreference: 'primary',
      writeConcern: { w: 'majority', journal: true },
      serverSelectionTimeoutMS: PATIENCE - 500,
      connectTimeoutMS: PATIENCE - 500,
      waitQueueTimeoutMS: PATIENCE - 500,
      socketTimeoutMS: PATIENCE,
      heartbeatFrequencyMS: 2000,
    })
    return { connection, where }
  } catch (error) {
    await connection.destroy().catch(() => undefined)
    throw unusable(where, error)
  }
}
