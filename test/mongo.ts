// A MongoDB for tests: a server that is named, one that is installed, or the small Java one. One per test run.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const home = fileURLToPath(new URL('./mongo-test-server/', import.meta.url))
const FAST = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx512m', '-DuntilStdinCloses=true']

/** Where `test/setup.ts` leaves the address of the run's server for the workers, and what it is. */
export const ADDRESS = 'SELF_SERVICE_TEST_MONGODB'
export const KIND = 'SELF_SERVICE_TEST_MONGODB_IS'

/** A server of one's own, that may be stopped, killed, and started again on the same port over the same file. */
export interface MongoServer {
  uri: string
  port: number
  pid: number
  which: string
  /** Ends it as an administrator would. */
  stop(): Promise<void>
  /** `kill -9`. */
  kill(): Promise<void>
}

export interface MongoServerOptions {
  port?: number
  /** Keeps the data there; without it they go with the server. */
  file?: string
}

const exists = async (program: string, version: string): Promise<boolean> =>
  run(program, [version]).then(
    () => true,
    () => false,
  )

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Fetches the Java server's parts and compiles it, where that has not been done yet. */
async function buildJava(): Promise<void> {
  const [source, built] = [join(home, 'MongoTestServer.java'), join(home, 'lib', 'MongoTestServer.class')]
  if (existsSync(built) && statSync(built).mtimeMs >= statSync(source).mtimeMs) return
  await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], { cwd: home })
  await run('javac', ['-cp', 'lib/*', '-d', 'lib', 'MongoTestServer.java'], { cwd: home })
}

/** Resolves once a line of the process's output matches; rejects when it ends before. */
function ready(child: ChildProcess, line: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    if (!child.stdout) throw new Error('no output to read')
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the MongoDB for tests ended with ${code}`)))
    const lines = createInterface(child.stdout)
    lines.on('line', (text) => {
      const found = line.exec(text)
      if (found) resolve(found)
    })
  })
}

async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  end()
  await gone
}

async function startJava({ port = 0, file }: MongoServerOptions): Promise<MongoServer> {
  await buildJava()
  const program = [...FAST, '-cp', 'lib:lib/*', 'MongoTestServer', String(port), ...(file ? [file] : [])]
  const child = spawn('java', program, { cwd: home, stdio: ['pipe', 'pipe', 'inherit'] })
  const [, found] = await ready(child, /^mongodb:\/\/127\.0\.0\.1:(\d+)\//)
  return {
    uri: `mongodb://127.0.0.1:${found}/?directConnection=true`,
    port: Number(found),
    pid: child.pid ?? 0,
    which: 'mongo-java-server (test/mongo-test-server)',
    stop: () => ended(child, () => child.kill('SIGTERM')),
    kill: () => ended(child, () => child.kill('SIGKILL')),
  }
}

async function startInstalled({ port, file }: MongoServerOptions): Promise<MongoServer> {
  const at = port ?? (await freePort())
  const data = file ?? mkdtempSync(join(tmpdir(), 'mongod-'))
  mkdirSync(data, { recursive: true })
  const program = ['--port', String(at), '--bind_ip', '127.0.0.1', '--dbpath', data]
  const child = spawn('mongod', program, { stdio: ['ignore', 'pipe', 'inherit'] })
  await ready(child, /Waiting for connections/i)
  const tidy = (): void => {
    if (!file) rmSync(data, { recursive: true, force: true })
  }
  return {
    uri: `mongodb://127.0.0.1:${at}/?directConnection=true`,
    port: at,
    pid: child.pid ?? 0,
    which: 'mongod',
    stop: () => ended(child, () => child.kill('SIGTERM')).then(tidy),
    kill: () => ended(child, () => child.kill('SIGKILL')).then(tidy),
  }
}

/** Starts a server of one's own: `mongod` where it is installed, else the Java one. Rejects where there is neither. */
export async function startMongo(options: MongoServerOptions = {}): Promise<MongoServer> {
  if (await exists('mongod', '--version')) return startInstalled(options)
  if (await exists('java', '-version')) return startJava(options)
  throw new Error('no MongoDB for tests: set MONGODB_URI, install mongod, or install Java 17 and Maven')
}

/** Whether tests on MongoDB can run here; `test/setup.ts` found out. */
export const hasMongo = (): boolean => process.env[ADDRESS] !== undefined

/** The same server, another database; users stay where they were looked up. */
export function withDatabase(address: string, database: string): string {
  const parts = /^(?<server>mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/(?<path>[^?]*))?(?:\?(?<query>.*))?$/.exec(
    address,
  )?.groups
  if (!parts?.['server']) throw new Error('MONGODB_URI is no mongodb:// address')
  const query = new URLSearchParams(parts['query'] ?? '')
  if (parts['server'].includes('@') && !query.has('authSource')) query.set('authSource', parts['path'] || 'admin')
  return `${parts['server']}/${database}?${query.toString()}`
}

/** The run's server. Each caller takes a database name of its own, and drops it when it is done. */
export async function mongo(): Promise<{
  uri(database: string): string
  which: string
  drop(database: string): Promise<void>
  stop(): Promise<void>
}> {
  const address = process.env[ADDRESS] ?? process.env['MONGODB_URI']
  const own = address === undefined ? await startMongo() : undefined
  const uri = (database: string): string => withDatabase(own?.uri ?? address ?? '', database)
  const which = own?.which ?? process.env[KIND] ?? 'the server of MONGODB_URI'
  return {
    uri,
    which,
    async drop(database) {
      const { default: mongoose } = await import('mongoose')
      const connection = await mongoose.createConnection(uri(database)).asPromise()
      try {
        await connection.dropDatabase()
      } catch (error) {
        // The Java server stumbles over an index that was dropped and made anew; its data goes with it anyway.
        if (!which.startsWith('mongo-java-server')) throw error
      } finally {
        await connection.destroy()
      }
    },
    stop: async () => own?.stop(),
  }
}
