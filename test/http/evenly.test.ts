// Even moments: works of different length end at the same one, and nobody waits for two.
import { expect, it } from '@jest/globals'
import { evenly, evenMoment } from '../../src/http/evenly.ts'

it.each([
  [101.39, 110],
  [101.45, 110],
  [109.999, 110],
  [110, 110],
  [110.001, 120],
  [187, 190],
])('EM-2: what began at 100 and is ready at %d leaves at %d', (ready, leaves) => {
  expect(evenMoment(100, ready)).toBe(leaves)
})

it('EM-2: nothing leaves before its moment', async () => {
  const began = performance.now() - 1
  await evenly(began)
  expect(performance.now()).toBeGreaterThanOrEqual(evenMoment(began, began + 1))
})
