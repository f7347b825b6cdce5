import { describe, expect, it } from '@jest/globals'
import { Unavailable } from '../../src/domain/problems.ts'
import { createGate, hashesAtOnce } from '../../src/passwords/gate.ts'

/** Work that ends when it is told to. */
function held() {
  const ends: (() => void)[] = []
  const started: number[] = []
  const work = (name: number) => () => {
    started.push(name)
    return new Promise<number>((resolve) => ends.push(() => resolve(name)))
  }
  return { work, started, endNext: () => ends.shift()?.() }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('PW-9: the gate in front of hashes', () => {
  it('runs so many at once, the others in their order', async () => {
    const gate = createGate({ atOnce: 2, queue: 10 })
    const { work, started, endNext } = held()
    const all = [1, 2, 3, 4, 5].map((name) => gate.run(work(name)))
    await settled()
    expect(started).toEqual([1, 2])
    expect([gate.running(), gate.waiting()]).toEqual([2, 3])
    for (let round = 0; round < 5; round++) {
      endNext()
      await settled()
      expect(gate.running()).toBeLessThanOrEqual(2)
    }
    expect(started).toEqual([1, 2, 3, 4, 5])
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4, 5])
    expect([gate.running(), gate.waiting()]).toEqual([0, 0])
  })

  it('a full queue is told at once, with a time to come back, and nobody in it is lost', async () => {
    const gate = createGate({ atOnce: 1, queue: 2 })
    const { work, endNext } = held()
    const all = [1, 2, 3].map((name) => gate.run(work(name)))
    let refusal: unknown
    gate.run(work(4)).catch((error: unknown) => {
      refusal = error
    })
    await settled()
    expect(refusal).toBeInstanceOf(Unavailable)
    expect(refusal).toMatchObject({ code: 'busy', retryAfter: 5 })
    for (let round = 0; round < 3; round++) {
      endNext()
      await settled()
    }
    expect(await Promise.all(all)).toEqual([1, 2, 3])
    const later = gate.run(async () => 5)
    expect(await later).toBe(5)
  })

  it('who comes when a place becomes free does not overtake or overfill', async () => {
    const gate = createGate({ atOnce: 1, queue: 5 })
    const { work, started, endNext } = held()
    const all = [gate.run(work(1)), gate.run(work(2))]
    await settled()
    endNext()
    all.push(gate.run(work(3)))
    await settled()
    expect(started).toEqual([1, 2])
    endNext()
    await settled()
    endNext()
    expect(await Promise.all(all)).toEqual([1, 2, 3])
  })

  it('work that fails gives its place back', async () => {
    const gate = createGate({ atOnce: 1, queue: 0 })
    await expect(gate.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await gate.run(async () => 'yes')).toBe('yes')
  })

  it('leaves threads for files and names', () => {
    expect([1, 2, 4, 16].map((cores) => hashesAtOnce(cores))).toEqual([1, 2, 3, 3])
    expect(hashesAtOnce(16, 17)).toBe(16)
    expect(hashesAtOnce(8, 1)).toBe(1)
  })
})
