// The machine's own speed: bare bcrypt through libuv, as many at once as the product runs, and nothing else.
import bcrypt from 'bcrypt'
import { median } from './table.ts'

const TEXT = 'the text that is hashed'

/** Comparisons a second. Only those that begin and end within the time are counted, from the first end to the last. */
export async function ceiling(cost: number, seconds: number, atOnce: number): Promise<number> {
  const hash = await bcrypt.hash(TEXT, cost)
  const until = performance.now() + seconds * 1000
  const ends: number[] = []
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      await bcrypt.compare(TEXT, hash)
      ends.push(performance.now())
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return rate(ends)
}

/** Ends a second: the first one starts the clock. */
export const rate = (ends: readonly number[]): number =>
  ((ends.length - 1) * 1000) / ((ends.at(-1) ?? Number.NaN) - (ends[0] ?? Number.NaN))

/** Milliseconds of one comparison, alone. */
export async function oneHash(cost: number, times: number): Promise<number> {
  const hash = await bcrypt.hash(TEXT, cost)
  const took: number[] = []
  for (let time = 0; time < times; time++) {
    const began = performance.now()
    await bcrypt.compare(TEXT, hash)
    took.push(performance.now() - began)
  }
  return median(took)
}
