// The contract of expiry: tidying removes what has not mattered for a day, and nothing else.
import { expect, it } from '@jest/globals'
import { budgets as table } from '../../../src/domain/budget.ts'
import { aFlow, aMail, anAccount, anEvent, aRow, fresh, type Pair } from './samples.ts'

const DAY = 86_400_000
// Far from the times of the other tests: tidying is for the whole store.
const NOW = 1000 * DAY

export function tidies(at: Pair): void {
  it('removes flows, mails and rows a day after they expired, never before', async () => {
    const id = fresh('tidy')
    await at.one.flows.save(aFlow(id, { expiresAt: NOW }), 0)
    await at.one.mails.put(aMail(id, { expiresAt: NOW, dueAt: NOW * 10 }))
    await at.one.logouts.put(aMail(id, { expiresAt: NOW, dueAt: NOW * 10 }))
    await at.one.rows.upsert('Session', id, aRow(), NOW)
    await at.one.rows.upsert('Session', `${id}-for-ever`, aRow(), undefined)
    await at.one.accounts.insert(anAccount(id))
    await at.one.claims.claim(id, 'x')
    await at.one.audit.append([anEvent(id, { at: 1, accountId: id })])
    await at.one.tidy(NOW + DAY)
    expect(await at.two.flows.find(id)).toBeDefined()
    expect(await at.two.rows.find('Session', id)).toBeDefined()
    const before = await at.two.mails.size()
    const logouts = await at.two.logouts.size()
    await at.one.tidy(NOW + DAY + 1)
    expect(await at.two.mails.size()).toBe(before - 1)
    expect(await at.two.logouts.size()).toBe(logouts - 1)
    expect(await at.two.flows.find(id)).toBeUndefined()
    expect(await at.two.rows.find('Session', id)).toBeUndefined()
    expect(await at.two.rows.find('Session', `${id}-for-ever`)).toBeDefined()
    expect(await at.two.accounts.find(id)).toBeDefined()
    expect(await at.two.claims.find(id)).toBe('x')
    expect(await at.two.audit.query({ accountId: id }, 1)).toHaveLength(1)
  })

  it('a claim with an end goes a day after it, whatever it was swapped to; others stay for ever', async () => {
    const [id, mail] = [fresh('ends'), fresh('sent')]
    await at.one.claims.claim(id, 'first', NOW)
    await at.one.claims.claim(`${id}-swapped`, 'first', NOW)
    await at.one.claims.claim(`${id}-for-ever`, 'first')
    // Who comes second changes neither value nor end.
    expect(await at.two.claims.claim(id, 'second', NOW + 100 * DAY)).toBe('first')
    expect(await at.two.claims.claim(`${id}-for-ever`, 'second', NOW)).toBe('first')
    expect(await at.two.claims.swap(`${id}-swapped`, 'first', 'used')).toBe(true)
    await at.one.mails.put(aMail(mail, { expiresAt: NOW, dueAt: 1 }))
    await at.one.mails.remove(mail)
    await at.one.tidy(NOW + DAY)
    expect(await at.two.claims.find(id)).toBe('first')
    expect(await at.two.claims.find(`${id}-swapped`)).toBe('used')
    const size = await at.one.mails.size()
    await at.one.mails.put(aMail(mail, { expiresAt: NOW, dueAt: 1 }))
    expect(await at.one.mails.size()).toBe(size)
    await at.one.tidy(NOW + DAY + 1)
    expect(await at.two.claims.find(id)).toBeUndefined()
    expect(await at.two.claims.find(`${id}-swapped`)).toBeUndefined()
    expect(await at.two.claims.find(`${id}-for-ever`)).toBe('first')
    expect(await at.two.claims.claim(id, 'anew')).toBe('anew')
    // By now it expired: put again it is known, and given up by the sender.
    await at.one.mails.put(aMail(mail, { expiresAt: NOW, dueAt: 1 }))
    expect(await at.one.mails.size()).toBe(size + 1)
    await at.one.mails.remove(mail)
  })

  it('removes many', async () => {
    const ids = Array.from({ length: 1100 }, () => fresh('many'))
    await Promise.all(ids.map((id) => at.one.rows.upsert('Session', id, aRow(), 1)))
    await at.two.tidy(NOW)
    const left = await Promise.all(ids.map((id) => at.one.rows.find('Session', id)))
    expect(left.filter(Boolean)).toEqual([])
  }, 20_000)

  it('TO-4: a count in a row is never forgotten by waiting; windows, settled counts and counts for a code are', async () => {
    const key = fresh('budget')
    const all = {
      window: table.recoveryCode,
      row: table.password,
      settled: table.authenticatorCode,
      code: table.mailedCode,
    }
    for (const [name, budget] of Object.entries(all)) await at.one.budgets.admit(`${key}-${name}`, budget, NOW, 'a')
    await at.one.budgets.admit(`${key}-settled`, all.settled, NOW, 'b')
    await at.one.budgets.settle(`${key}-settled`, 'b')
    const again = async (name: keyof typeof all, when: number) => {
      const answer = await at.two.budgets.admit(`${key}-${name}`, all[name], when, fresh('hit'))
      return answer.admitted ? answer.inRow : 0
    }
    // Until then they matter: the window's hour, the day of the code, the day of the settled window's hits.
    await at.one.tidy(NOW + DAY)
    expect(await again('window', NOW)).toBe(2)
    expect(await again('code', NOW)).toBe(2)
    await at.one.tidy(NOW + 20 * DAY)
    expect(await again('window', NOW + 20 * DAY)).toBe(1)
    expect(await again('code', NOW + 20 * DAY)).toBe(1)
    expect(await again('settled', NOW + 20 * DAY)).toBe(1)
    expect(await again('row', NOW + 20 * DAY)).toBe(2)
  })
}
