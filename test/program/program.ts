// The real program as a child process: started, read line by line, and ended by its own process id.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const failpoint = new URL('./failpoint.ts', import.meta.url).href

/** One record of the log. */
export interface Line {
  level: number
  msg: string
  time: string
  reference?: string
  port?: number
  path?: string
  status?: number
}

export interface Ended {
  code: number | null
  out: string
  err: string
  ms: number
}

export interface Start {
  env?: Record<string, string>
  /** Loads `failpoint.ts` first. */
  watched?: boolean
}

export interface Program {
  child: ChildProcess
  pid: number
  /** Once it listens. */
  port: number
  out(): string
  err(): string
  lines(): Line[]
  /** The first record that matches, now or later. */
  line(matches: (line: Line) => boolean): Promise<Line>
  alive(): boolean
  /** `kill -9`. */
  kill(): Promise<void>
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<Ended>
}

const running = new Set<ChildProcess>()

function launch(args: readonly string[], { env = {}, watched = false }: Start): ChildProcess {
  const child = spawn(process.execPath, [...(watched ? ['--import', failpoint] : []), main, ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      // Many starts of the same program: what was compiled once is read.
      NODE_COMPILE_CACHE: join(tmpdir(), 'self-service-compile-cache'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', ...(watched ? (['ipc'] as const) : [])],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

const closed = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** Ends whatever still runs. For `afterAll`. */
export async function endAll(): Promise<void> {
  for (const child of running) {
    child.kill('SIGKILL')
    await closed(child)
  }
}

/** Runs a command to its end. */
export async function run(args: readonly string[], options: Start = {}): Promise<Ended> {
  const began = performance.now()
  const child = launch(args, options)
  let [out, err] = ['', '']
  child.stdout?.on('data', (text) => (out += String(text)))
  child.stderr?.on('data', (text) => (err += String(text)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err, ms: Math.round(performance.now() - began) }
}

/** Starts `serve` and resolves once it listens. Rejects with what it said when it ends instead. */
export async function serve(config: string, options: Start = {}): Promise<Program> {
  const child = launch(['serve', '--config', config], options)
  if (!child.stdout || !child.stderr) throw new Error('no output to read')
  const lines: Line[] = []
  const waiting = new Set<(line: Line) => void>()
  let [out, err] = ['', '']
  createInterface(child.stdout).on('line', (text) => {
    out += `${text}\n`
    const line: Line = JSON.parse(text)
    lines.push(line)
    for (const heard of waiting) heard(line)
  })
  child.stderr.on('data', (text) => (err += String(text)))

  const line = (matches: (line: Line) => boolean): Promise<Line> => {
    const { promise, resolve, reject } = Promise.withResolvers<Line>()
    const early = lines.find(matches)
    if (early) return Promise.resolve(early)
    const late = setTimeout(() => reject(new Error(`no such record in the log:\n${out.slice(-4000)}`)), 15_000)
    const heard = (one: Line): void => void (matches(one) && resolve(one))
    waiting.add(heard)
    return promise.finally(() => {
      clearTimeout(late)
      waiting.delete(heard)
    })
  }
  const ended = once(child, 'close')
  const up = line(({ msg }) => msg === 'listening')
  // Whoever loses the race below is heard of no more.
  up.catch(() => undefined)
  const first = await Promise.race([up, ended.then(() => undefined)])
  if (!first) throw new Error(`the program ended with ${child.exitCode}: ${err}${out}`)

  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<Ended> => {
    const began = performance.now()
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
    return { code: child.exitCode, out, err, ms: Math.round(performance.now() - began) }
  }
  return {
    child,
    pid: child.pid ?? 0,
    port: first.port ?? 0,
    out: () => out,
    err: () => err,
    lines: () => lines,
    line,
    alive: () => child.exitCode === null && child.signalCode === null,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  }
}
