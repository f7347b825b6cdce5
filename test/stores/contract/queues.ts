// The contract of the audit trail, and of the queues of mails and logout tokens.
import { describe, expect, it } from '@jest/globals'
import { aFullEvent, aMail, anEvent, fresh, type Pair, ROUNDS, race } from './samples.ts'

export function queues(at: Pair): void {
  describe('audit', () => {
    it('keeps every field, once however often it is appended', async () => {
      const accountId = fresh('audited')
      const events = [1, 2, 3].map((n) => Object.assign(aFullEvent(fresh('event')), { accountId, at: n }))
      await at.one.audit.append([])
      await at.one.audit.append(events.slice(0, 2))
      await race(20, at, (store) => store.audit.append(events.toReversed()))
      await at.two.audit.append(events.map((event) => ({ ...event, reason: 'too late' })))
      expect(await at.two.audit.query({ accountId }, 10)).toEqual(events)
    })

    it('answers ascending by time, then id, and filters', async () => {
      const accountId = fresh('filtered')
      const of = (id: string, when: number, more = {}) =>
        anEvent(`${accountId}-${id}`, { accountId, at: when, ...more })
      const events = [of('b', 10), of('a', 20), of('b2', 20, { kind: 'trust-gate' }), of('c', 20), of('a2', 30)]
      await at.one.audit.append(events.toReversed())
      await at.one.audit.append([anEvent(fresh('other'), { accountId: fresh('somebody'), at: 20 })])
      const ids = async (filter: object, limit = 10) =>
        (await at.two.audit.query({ accountId, ...filter }, limit)).map((event) => event.id.slice(accountId.length + 1))
      expect(await ids({})).toEqual(['b', 'a', 'b2', 'c', 'a2'])
      expect(await ids({}, 2)).toEqual(['b', 'a'])
      expect(await ids({ kind: 'trust-gate' })).toEqual(['b2'])
      expect(await ids({ from: 20 })).toEqual(['a', 'b2', 'c', 'a2'])
      expect(await ids({ to: 20 })).toEqual(['b', 'a', 'b2', 'c'])
      expect(await ids({ from: 11, to: 29, kind: 'sign-in.password' })).toEqual(['a', 'c'])
      expect(await ids({ after: `${accountId}-b2` })).toEqual(['c', 'a2'])
      expect(await ids({ after: `${accountId}-a2` })).toEqual([])
      const everybody = await at.two.audit.query({ from: 20, to: 20 }, 1000)
      expect(everybody.length).toBeGreaterThanOrEqual(4)
      await expect(at.two.audit.query({ after: fresh('unknown') }, 1)).rejects.toThrow(RangeError)
    })
  })

  describe.each(['mails', 'logouts'] as const)('%s', (queue) => {
    it('puts once by id, leases what is due longest, retries and removes', async () => {
      const [early, late] = [aMail(fresh('early'), { dueAt: 10 }), aMail(fresh('late'), { dueAt: 20 })]
      const before = await at.one[queue].size()
      await at.one[queue].put(late)
      await at.one[queue].put(early)
      await at.two[queue].put({ ...early, sealed: 'other' })
      expect(await at.two[queue].size()).toBe(before + 2)
      expect(await at.two[queue].lease(9, 100)).toBeUndefined()
      expect(await at.two[queue].lease(20, 100)).toEqual({ ...early, dueAt: 100, attempts: 1 })
      expect(await at.one[queue].lease(20, 101)).toEqual({ ...late, dueAt: 101, attempts: 1 })
      expect(await at.two[queue].lease(99, 200)).toBeUndefined()
      await at.one[queue].retry(late.id, 50)
      expect(await at.two[queue].lease(50, 60)).toEqual({ ...late, dueAt: 60, attempts: 2 })
      await at.one[queue].remove(late.id)
      await at.one[queue].retry(late.id, 1)
      // The lease of a sender that died runs out.
      expect(await at.one[queue].lease(100, 300)).toEqual({ ...early, dueAt: 300, attempts: 2 })
      await at.one[queue].remove(early.id)
      expect(await at.two[queue].size()).toBe(before)
    })

    it('DB-11: what was removed is not put again, nor leased or tried again, until it expired', async () => {
      const job = aMail(fresh('sent'), { dueAt: 10, sealed: 'a text' })
      const before = await at.one[queue].size()
      await at.one[queue].put(job)
      await at.one[queue].remove(job.id)
      await race(20, at, (store) => store[queue].put(job))
      await at.two[queue].retry(job.id, 1)
      await at.two[queue].remove(job.id)
      expect(await at.two[queue].lease(Date.UTC(3000, 0, 1), Date.UTC(3000, 0, 2))).toBeUndefined()
      expect(await at.one[queue].size()).toBe(before)
    })

    it.each([50, 100])('20 rounds of %i senders: each mail is leased by one', async (callers) => {
      for (const _ of ROUNDS) {
        const jobs = [1, 2, 3].map((dueAt) => aMail(fresh('mail'), { dueAt }))
        for (const job of jobs) await at.one[queue].put(job)
        const leased = await race(callers, at, (store) => store[queue].lease(10, 1000))
        const ids = leased.flatMap((job) => (job ? [job.id] : []))
        expect(ids.sort()).toEqual(jobs.map((job) => job.id).sort())
        for (const job of jobs) await at.two[queue].remove(job.id)
      }
    })
  })
}
