// The README's table of requests is run: each cell, on both stores, as its user and its relying party would see it.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eachStore } from '../stores.ts'
import { type World, world } from '../world.ts'
import { outcome, prepared, requests, states } from './requests.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The rows of the table whose first heading is that. */
function table(heading: string): string[][] {
  const lines = readme.split('\n')
  const first = lines.findIndex((line) => line.startsWith(`| ${heading} |`))
  const end = lines.findIndex((line, index) => index > first && !line.startsWith('|'))
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
  return lines
    .slice(first, end)
    .filter((_, index) => index !== 1)
    .map(cells)
}

const [head = [], ...rows] = table('Request')

describe('the table of requests in the README', () => {
  it('names every request and every state once', () => {
    expect(head.slice(1)).toEqual(Object.keys(states))
    expect(rows.map(([request]) => request)).toEqual(Object.keys(requests))
  })
})

eachStore('what relying parties may ask', (database) => {
  let w: World
  let count = 0
  beforeAll(async () => {
    w = await world({ store: await (await database()).open() })
  })
  afterAll(() => w.close())

  for (const [request = '', ...cells] of rows) {
    it(`OI-1, OI-2, OI-3: ${request}`, async () => {
      const { asks, client } = requests[request] ?? { asks: {} }
      const walked: string[] = []
      for (const state of Object.values(states)) {
        const user = await prepared(w, state, `r${++count}`)
        Object.assign(w.policy, { clients: client ? { rp: client } : {} })
        walked.push(await outcome(w, user, await user.b.open(w.authorize(asks))))
      }
      expect(walked).toEqual(cells)
    })
  }
})
