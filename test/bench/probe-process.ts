// The program that asks for discovery every 20 ms, whether the answer before has come or not, and tells how long each took.
import { setTimeout as pause } from 'node:timers/promises'
import { connections, expected, visitor } from './client.ts'

const EVERY = 20

const [issuer = '', seconds = '1'] = process.argv.slice(2)
const agent = connections(1000)
const probe = visitor({ issuer, agent })
const took: number[] = []
const asked: Promise<void>[] = []

async function ask(due: number): Promise<void> {
  expected(await probe.get('/.well-known/openid-configuration'), 200, 'discovery')
  took.push(performance.now() - due)
}

await probe.get('/.well-known/openid-configuration')
const began = performance.now()
for (let due = began; due < began + Number(seconds) * 1000; due += EVERY) {
  await pause(Math.max(0, due - performance.now()))
  // From when it was due: a probe that could not even begin waited as well.
  asked.push(ask(due))
}
await Promise.all(asked)
process.send?.(took, () => process.exit(0))
