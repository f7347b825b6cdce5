// Starts a site in a process of its own and asks it; everything that was started is ended, whatever happens.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Asked, Setup, Verbs } from './site-process.ts'

export interface MeasuredSite {
  issuer: string
  ask<Verb extends keyof Verbs>(verb: Verb, input?: number): Promise<Awaited<ReturnType<Verbs[Verb]>>>
}

const program = fileURLToPath(new URL('./site-process.ts', import.meta.url))
const END = 5000

interface Told {
  issuer?: string
  id?: number
  answer?: unknown
  error?: string
}

/** Where its text goes is nobody's concern, until it fails. */
export async function withSite<Result>(setup: Setup, work: (site: MeasuredSite) => Promise<Result>): Promise<Result> {
  const child = fork(program, [JSON.stringify(setup)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: process.env['BENCH_PROFILE'] ? ['--cpu-prof', `--cpu-prof-dir=${process.env['BENCH_PROFILE']}`] : [],
  })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000)
  })
  const died = once(child, 'exit').then(() => Promise.reject(new Error(`the measured server ended:\n${said}`)))
  died.catch(() => undefined)
  try {
    const [{ issuer = '' }] = (await Promise.race([once(child, 'message'), died])) as [Told]
    return await Promise.race([work({ issuer, ask: asking(child) }), died])
  } catch (error) {
    if (said) console.error(said)
    throw error
  } finally {
    await end(child)
  }
}

function asking(child: ChildProcess): MeasuredSite['ask'] {
  let last = 0
  const waiting = new Map<number, (told: Told) => void>()
  child.on('message', (told: Told) => {
    if (told.id !== undefined) waiting.get(told.id)?.(told)
  })
  return (verb, input = 0) =>
    new Promise((resolve, reject) => {
      const asked: Asked = { id: ++last, verb, input }
      waiting.set(asked.id, ({ id = 0, answer, error }) => {
        waiting.delete(id)
        if (error !== undefined) reject(new Error(error))
        else resolve(answer as never)
      })
      child.send(asked)
    })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.disconnect()
  const late = setTimeout(() => child.kill('SIGKILL'), END)
  await ended
  clearTimeout(late)
}
