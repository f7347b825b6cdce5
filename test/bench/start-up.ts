// From the start of the process to the first good answer, beside a program that is nothing but oidc-provider. Both compiled.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { loadKeys } from '../../src/domain/keys.ts'
import { openStore } from '../../src/stores/open.ts'
import { freePort } from '../mongo.ts'
import { connections, visitor } from './client.ts'
import type { Measurement, Run } from './run.ts'
import { median } from './table.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const PATIENCE = 30_000

export const startUp: Measurement = async (run) => {
  const times = run.quick ? 2 : 7
  run.say('start-up: compiling')
  const programs = await prepared(run)
  const [ours, bare]: [number[], number[]] = [[], []]
  for (let time = 0; time <= times; time++) {
    run.say(`start-up: ${time} of ${times}`)
    const a = await untilServing(programs.ours)
    const b = await untilServing(programs.bare)
    // The first start makes the tables, and reads files that no cache holds yet.
    if (time === 0) continue
    ours.push(a)
    bare.push(b)
  }
  return [
    {
      name: 'start-up, until discovery is served',
      unit: 'ms',
      ours: median(ours),
      baseline: median(bare),
      ratio: median(ours.map((value, at) => value / (bare[at] ?? Number.NaN))),
      note: '`serve` on its store against oidc-provider in memory; the same keys and client',
    },
  ]
}

interface Program {
  args: string[]
  env: NodeJS.ProcessEnv
  port: number
  cwd: string
}

/** The package as it is installed: `dist` and `views`, its dependencies beside it. */
async function prepared(run: Run): Promise<{ ours: Program; bare: Program }> {
  const dist = join(run.folder, 'dist')
  await promisify(execFile)(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--outDir', dist], {
    cwd: root,
  })
  for (const name of ['node_modules', 'views', 'package.json']) await symlink(join(root, name), join(run.folder, name))
  const [ourPort, barePort] = [await freePort(), await freePort()]
  const store = run.store()
  const roots = randomBytes(32)
  const metadata = { token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1:9/cb'] }
  const config = join(run.folder, 'bench.json')
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      issuer: `http://127.0.0.1:${ourPort}`,
      listen: { host: '127.0.0.1', port: ourPort },
      store,
      mail: { url: 'outbox:', from: 'Bench <no-reply@example.org>' },
      log: { level: 'warn' },
      clients: { rp: { metadata } },
    }),
  )
  const opened = await openStore(store)
  const chance = { now: () => Date.now(), random: randomBytes }
  const { jwks, cookies } = await loadKeys(opened.claims, [roots], chance)
  await opened.close()
  const setup = { issuer: `http://127.0.0.1:${barePort}`, port: barePort, jwks, cookies, metadata }
  const bare = join(run.folder, 'bare.mjs')
  await writeFile(bare, await readFile(new URL('./bare-program.mjs', import.meta.url), 'utf8'))
  await writeFile(join(run.folder, 'bare.json'), JSON.stringify(setup))
  const cwd = run.folder
  const env = { ...process.env, SELF_SERVICE_KEYS: roots.toString('base64') }
  return {
    ours: { args: [join(dist, 'cli/main.js'), 'serve', '--config', config], env, port: ourPort, cwd },
    bare: { args: [bare, join(run.folder, 'bare.json')], env, port: barePort, cwd },
  }
}

async function untilServing({ args, env, port, cwd }: Program): Promise<number> {
  const began = performance.now()
  const child = spawn(process.execPath, args, { env, cwd, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)))
  try {
    await listening(child, port, began + PATIENCE)
    const agent = connections(1)
    const { status } = await visitor({ issuer: `http://127.0.0.1:${port}`, agent }).get(
      '/.well-known/openid-configuration',
    )
    agent.destroy()
    if (status !== 200) throw new Error(`discovery was answered with ${status}`)
    return performance.now() - began
  } catch (error) {
    throw new Error(`${args.join(' ')} did not serve:\n${said}`, { cause: error })
  } finally {
    await stop(child)
  }
}

async function listening(child: ChildProcess, port: number, until: number): Promise<void> {
  while (performance.now() < until && child.exitCode === null) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (up) return
    await pause(5)
  }
  throw new Error('it does not serve')
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 5000)
  await ended
  clearTimeout(late)
}
