// The contract of accounts, flows and claims: whole documents, one conditional write, exactly one winner.
import { describe, expect, it } from '@jest/globals'
import { aFlow, aFullAccount, aFullFlow, anAccount, anEvent, fresh, type Pair, ROUNDS, race } from './samples.ts'

const wins = (results: readonly boolean[]): number => results.filter(Boolean).length

export function documents(at: Pair): void {
  describe('accounts', () => {
    it('keeps every field, and finds by id and by username key, from another connection', async () => {
      const account = aFullAccount(fresh('full'))
      expect(await at.one.accounts.insert(account)).toBe(true)
      expect(await at.two.accounts.find(account.id)).toEqual(account)
      expect(await at.two.accounts.findByUsernameKey(account.usernameKey)).toEqual(account)
      expect(await at.two.accounts.find(fresh('nobody'))).toBeUndefined()
      expect(await at.two.accounts.findByUsernameKey(fresh('nobody'))).toBeUndefined()
    })

    it('replaces the whole document: what is gone is gone', async () => {
      const account = aFullAccount(fresh('shrinks'))
      await at.one.accounts.insert(account)
      const small = anAccount(account.id, { version: 2 })
      expect(await at.two.accounts.replace(small, 1)).toBe(true)
      expect(await at.one.accounts.find(account.id)).toEqual(small)
    })

    it('refuses a taken id or username key, and writes nothing', async () => {
      const [first, second] = [anAccount(fresh('a')), anAccount(fresh('b'))]
      expect(await at.one.accounts.insert(first)).toBe(true)
      expect(await at.two.accounts.insert({ ...first, usernameKey: fresh('other') })).toBe(false)
      expect(await at.two.accounts.insert({ ...second, usernameKey: first.usernameKey })).toBe(false)
      expect(await at.one.accounts.insert(second)).toBe(true)
      expect(await at.two.accounts.replace({ ...second, version: 2, usernameKey: first.usernameKey }, 1)).toBe(false)
      expect(await at.one.accounts.find(second.id)).toEqual(second)
      expect(await at.one.accounts.find(first.id)).toEqual(first)
    })

    it('replaces nothing where the version is another one or the account is gone', async () => {
      const account = anAccount(fresh('versions'))
      expect(await at.one.accounts.replace({ ...account, version: 2 }, 1)).toBe(false)
      await at.one.accounts.insert(account)
      expect(await at.one.accounts.replace({ ...account, version: 3 }, 2)).toBe(false)
      expect(await at.one.accounts.replace({ ...account, version: 2 }, 1)).toBe(true)
      expect(await at.two.accounts.replace({ ...account, version: 2 }, 1)).toBe(false)
    })

    it('removes an account of one version once, and with it its name', async () => {
      const account = anAccount(fresh('removed'), { version: 2 })
      expect(await at.one.accounts.remove(account.id, 2)).toBe(false)
      await at.one.accounts.insert(account)
      expect(await at.two.accounts.remove(account.id, 1)).toBe(false)
      expect(await at.one.accounts.find(account.id)).toEqual(account)
      const results = await race(20, at, (store) => store.accounts.remove(account.id, 2))
      expect(wins(results)).toBe(1)
      expect(await at.one.accounts.find(account.id)).toBeUndefined()
      expect(await at.two.accounts.replace({ ...account, version: 3 }, 2)).toBe(false)
      expect(await at.two.accounts.insert(anAccount(fresh('again'), { usernameKey: account.usernameKey }))).toBe(true)
    })

    it('pages ascending by id', async () => {
      const prefix = fresh('page')
      const ids = ['a', 'b', 'c', 'd'].map((letter) => `${prefix}-${letter}`)
      for (const id of ids.toReversed()) await at.one.accounts.insert(anAccount(id))
      const first = await at.two.accounts.page(prefix, 3)
      expect(first.map((account) => account.id)).toEqual(ids.slice(0, 3))
      const rest = await at.two.accounts.page(ids[2], 1)
      expect(rest.map((account) => account.id)).toEqual(ids.slice(3))
      const all: string[] = []
      for (;;) {
        const page = await at.one.accounts.page(all.at(-1), 7)
        all.push(...page.map((account) => account.id))
        if (page.length < 7) break
      }
      expect(all).toEqual([...new Set(all)].sort())
      expect(all).toEqual(expect.arrayContaining(ids))
    })

    it('DB-11: finds accounts whose outbox holds something, until it is drained', async () => {
      const id = fresh('outbox')
      const outboxes = async () => (await at.two.accounts.withOutbox(1000)).map((account) => account.id)
      await at.one.accounts.insert(anAccount(id))
      expect(await outboxes()).not.toContain(id)
      await at.one.accounts.replace(anAccount(id, { version: 2, outbox: [anEvent(fresh('e'))] }), 1)
      expect(await outboxes()).toContain(id)
      expect(await at.two.accounts.withOutbox(1)).toHaveLength(1)
      await at.one.accounts.replace(anAccount(id, { version: 3 }), 2)
      expect(await outboxes()).not.toContain(id)
    })
  })

  describe('flows', () => {
    it('keeps every field, saves by compare-and-set, and removes', async () => {
      const flow = aFullFlow(fresh('flow'))
      expect(await at.one.flows.save({ ...flow, version: 4 }, 3)).toBe(false)
      expect(await at.one.flows.save(flow, 0)).toBe(true)
      expect(await at.two.flows.save(flow, 0)).toBe(false)
      expect(await at.two.flows.find(flow.id)).toEqual(flow)
      const next = aFlow(flow.id, { version: 2, expiresAt: 1 })
      expect(await at.two.flows.save(next, 1)).toBe(true)
      expect(await at.one.flows.save(next, 1)).toBe(false)
      // Expired long ago: that is for the reader to judge (DB-7).
      expect(await at.one.flows.find(flow.id)).toEqual(next)
      await at.one.flows.remove(flow.id)
      await at.one.flows.remove(flow.id)
      expect(await at.two.flows.find(flow.id)).toBeUndefined()
    })
  })

  describe('claims', () => {
    it('keeps the first value, and swaps only what stands', async () => {
      const id = fresh('claim')
      expect(await at.one.claims.find(id)).toBeUndefined()
      expect(await at.one.claims.swap(id, '', 'x')).toBe(false)
      expect(await at.one.claims.claim(id, 'first')).toBe('first')
      expect(await at.two.claims.claim(id, 'second')).toBe('first')
      expect(await at.two.claims.swap(id, 'second', 'x')).toBe(false)
      expect(await at.two.claims.swap(id, 'first', 'third')).toBe(true)
      expect(await at.one.claims.find(id)).toBe('third')
    })
  })

  describe.each([50, 100])('RS-4, DB-1: 20 rounds of %i callers, exactly one wins', (callers) => {
    it('inserts one account of a name', async () => {
      for (const _ of ROUNDS) {
        const name = fresh('name')
        const results = await race(callers, at, (store, caller) =>
          store.accounts.insert(anAccount(`${name}-${caller}`, { usernameKey: name })),
        )
        expect(wins(results)).toBe(1)
        const winner = await at.two.accounts.findByUsernameKey(name)
        expect(winner?.id).toBe(`${name}-${results.indexOf(true)}`)
      }
    })

    it('replaces an account of one version once', async () => {
      const id = fresh('replaced')
      await at.one.accounts.insert(anAccount(id))
      for (const round of ROUNDS) {
        const results = await race(callers, at, (store, caller) =>
          store.accounts.replace(anAccount(id, { version: round + 2, username: `${caller}` }), round + 1),
        )
        expect(wins(results)).toBe(1)
        const winner = await at.two.accounts.find(id)
        expect(winner).toMatchObject({ version: round + 2, username: `${results.indexOf(true)}` })
      }
    })

    it('makes a flow once, and saves each version once', async () => {
      const id = fresh('flow')
      for (const version of ROUNDS) {
        const results = await race(callers, at, (store, caller) =>
          store.flows.save(aFlow(id, { version: version + 1, turn: caller }), version),
        )
        expect(wins(results)).toBe(1)
        expect(await at.two.flows.find(id)).toMatchObject({ version: version + 1, turn: results.indexOf(true) })
      }
    })

    it('gives everybody the value that was claimed first', async () => {
      for (const _ of ROUNDS) {
        const id = fresh('claim')
        const answers = await race(callers, at, (store, caller) => store.claims.claim(id, `value ${caller}`))
        expect(new Set(answers).size).toBe(1)
        expect(await at.two.claims.find(id)).toBe(answers[0])
      }
    })

    it('swaps a claimed value once', async () => {
      const id = fresh('swap')
      let stands = await at.one.claims.claim(id, 'start')
      for (const round of ROUNDS) {
        const results = await race(callers, at, (store, caller) => store.claims.swap(id, stands, `${round} ${caller}`))
        expect(wins(results)).toBe(1)
        stands = `${round} ${results.indexOf(true)}`
        expect(await at.two.claims.find(id)).toBe(stands)
      }
    })
  })
}
