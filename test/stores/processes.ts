// The contract under several real processes: races between them, and a process that is killed while it writes.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { openStore } from '../../src/stores/open.ts'
import { fresh, ROUNDS } from './contract/samples.ts'

const program = fileURLToPath(new URL('./racer.ts', import.meta.url))

interface Results {
  inserted: number
  consumed: number
  rows: number[]
  claimed: string[]
}

class Racer {
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  readonly lines: AsyncIterator<string>
  readonly reader: Interface
  constructor(uri: string, name: string) {
    this.child = spawn(process.execPath, [program, uri, name], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.reader = createInterface(this.child.stdout)
    this.lines = this.reader[Symbol.asyncIterator]()
  }
  async next<Line>(): Promise<Line> {
    const { value, done } = await this.lines.next()
    if (done) throw new Error('a racing process ended too early')
    return JSON.parse(value) as Line
  }
  say(order: object): void {
    this.child.stdin.write(`${JSON.stringify(order)}\n`)
  }
  async end(end: () => void): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('exit', resolve))
    end()
    await gone
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** `uri` names a store that does not exist yet: the processes open it at the same time. */
export function processesContract(uri: () => string): void {
  it('TH-7, OI-5, RS-4: three processes race for 20 rounds, exactly one caller wins each', async () => {
    const racers = ['a', 'b', 'c'].map((name) => new Racer(uri(), name))
    try {
      for (const racer of racers) expect(await racer.next()).toHaveProperty('ready')
      for (const _ of ROUNDS) {
        const name = fresh('round')
        for (const racer of racers) racer.say({ race: name })
        const results = await Promise.all(racers.map((racer) => racer.next<Results>()))
        expect(sum(results.map((result) => result.inserted))).toBe(1)
        expect(sum(results.map((result) => result.consumed))).toBe(1)
        const rows = results.flatMap((result) => result.rows).sort((a, b) => a - b)
        expect(rows).toEqual([1, 2, 3, 4, 5, 6, 7])
        expect(new Set(results.flatMap((result) => result.claimed)).size).toBe(1)
      }
    } finally {
      await Promise.all(racers.map((racer) => racer.end(() => racer.child.stdin.end())))
    }
  }, 60_000)

  it('DB-2: what was acknowledged before kill -9 is there after it, and nothing half-written', async () => {
    const id = fresh('killed')
    const racer = new Racer(uri(), 'writer')
    expect(await racer.next()).toHaveProperty('ready')
    racer.say({ write: id })
    let acknowledged = 0
    while (acknowledged < 40) acknowledged = (await racer.next<{ version: number }>()).version
    await racer.end(() => racer.child.kill('SIGKILL'))
    const store = await openStore(uri())
    try {
      const account = await store.accounts.find(id)
      expect(account?.version).toBeGreaterThanOrEqual(acknowledged)
      const next = (account?.version ?? 0) + 1
      expect(await store.accounts.replace({ ...account!, version: next }, next - 1)).toBe(true)
    } finally {
      await store.close()
    }
  })
}
