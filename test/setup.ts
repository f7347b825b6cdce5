// Before all tests: one MongoDB for the whole run, found or started. Its address reaches the workers by the environment.
import { ADDRESS, KIND, type MongoServer, startMongo } from './mongo.ts'

declare global {
  var mongoOfThisRun: MongoServer | undefined
}

export default async function setup(): Promise<void> {
  const named = process.env['MONGODB_URI']
  if (named !== undefined) {
    process.env[ADDRESS] = named
    process.env[KIND] = 'the server of MONGODB_URI'
  } else {
    try {
      const server = await startMongo()
      globalThis.mongoOfThisRun = server
      process.env[ADDRESS] = server.uri
      process.env[KIND] = server.which
    } catch (error) {
      if (process.env['CI'] === 'true') throw error
      console.warn(`\nTESTS ON MONGODB ARE SKIPPED: ${String(error)}`)
      return
    }
  }
  console.info(`\nMongoDB for tests: ${process.env[KIND]}`)
}
