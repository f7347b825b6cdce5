// The benchmark runs and says what it should; never how fast, since a shared machine cannot tell.
import { expect, it } from '@jest/globals'
import { bench } from './bench/main.ts'
import { met, percentile, table } from './bench/table.ts'
import { areaUnderCurve } from './bench/timing.ts'
import { inTurn } from './bench/watched.ts'

it('every page of a registration, a sign-in, a change and a reset is weighed and its calls counted', async () => {
  const rows = await bench({ only: ['bytes', 'round-trips'], quick: true })
  const pages = rows.filter(({ name }) => name.startsWith('bytes: '))
  expect(pages).toHaveLength(18)
  // Not a time: the same on every machine.
  for (const page of pages) expect([page.name, met(page)]).toEqual([page.name, true])
  const trips = rows.filter(({ name }) => name.startsWith('store: '))
  expect(trips.length).toBeGreaterThanOrEqual(24)
  // What a GET shows waits for the flow and the account; forms do more.
  for (const page of trips.filter(({ name }) => !name.includes('form: '))) {
    expect([page.name, met(page)]).toEqual([page.name, true])
  }
  expect(trips.find(({ name }) => name === 'store: sign-in, form: name and password')?.ours).toBeGreaterThan(0)
})

it('an unknown measurement is refused by name', async () => {
  await expect(bench({ only: ['speed'] })).rejects.toThrow('"speed"')
})

it('calls side by side count once, calls in turn each', () => {
  const call = (began: number, ended: number) => ({ part: 'flows', verb: 'find', began, ended })
  expect(inTurn([call(0, 5), call(0, 6), call(1, 5)])).toBe(1)
  expect(inTurn([call(6, 11), call(0, 5), call(12, 15)])).toBe(3)
  expect(inTurn([])).toBe(0)
})

it('the classifier: a half for what is alike, one for what is told apart, ties halved', () => {
  expect(areaUnderCurve([3, 4], [1, 2])).toBe(1)
  expect(areaUnderCurve([1, 2], [3, 4])).toBe(0)
  expect(areaUnderCurve([1, 1, 1], [1, 1])).toBe(0.5)
  expect(areaUnderCurve([1, 4], [2, 3])).toBe(0.5)
  expect(areaUnderCurve([2, 2], [1, 2])).toBe(0.75)
})

it('a goal that could not be measured is missed, and the table stays aligned', () => {
  const goal = { of: 'ratio', most: 1.25 } as const
  expect(met({ name: 'a', unit: 'ms', ours: 2, baseline: 2, goal })).toBe(true)
  expect(met({ name: 'a', unit: 'ms', ours: 3, baseline: 2, goal })).toBe(false)
  expect(met({ name: 'a', unit: 'ms', ours: Number.NaN, baseline: 2, goal })).toBe(false)
  expect(met({ name: 'a', unit: 'ms', ours: 3 })).toBeUndefined()
  expect(percentile([5, 1, 4, 2, 3], 0.99)).toBe(5)
  const [head = '', , row = ''] = table([{ name: 'a page', unit: 'ms', ours: 3, baseline: 2, goal }]).split('\n')
  expect(row.indexOf('<= 1.25')).toBe(head.indexOf('goal'))
  expect(row).toContain('NO')
})
