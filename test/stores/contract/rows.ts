// The contract of the provider's rows: stamps never rise, consuming is conditional, rows are found by what they belong to.
import { describe, expect, it } from '@jest/globals'
import { aRow, fresh, type Pair, ROUNDS, race } from './samples.ts'

export function rows(at: Pair): void {
  const save = (id: string, more: Parameters<typeof aRow>[0] = {}, expiresAt?: number, model = 'Session') =>
    at.one.rows.upsert(model, id, aRow(more), expiresAt)

  it('keeps the payload whole, empty objects too, and every link; a save without a link removes it', async () => {
    const id = fresh('row')
    const payload = { result: { security_info_registration: {} }, list: [{}, []], deep: { a: { b: null } }, text: '' }
    const links = { accountId: fresh('a'), grantId: fresh('g'), uid: fresh('u'), userCode: fresh('c'), stamp: 3 }
    await save(id, { payload, ...links }, 5000)
    expect(await at.two.rows.find('Session', id)).toEqual({ payload, ...links, expiresAt: 5000 })
    await save(id)
    expect(await at.two.rows.find('Session', id)).toEqual({ payload: { kind: 'Row' }, stamp: 3 })
    expect(await at.two.rows.findBy('Session', 'uid', links.uid)).toBeUndefined()
    await at.two.rows.revokeByGrantId(links.grantId)
    expect(await at.one.rows.removeOlder(links.accountId, 99)).toBe(0)
    expect(await at.two.rows.find('Session', id)).toBeDefined()
  })

  it('DB-7: answers a row that has expired, with its expiry, for the reader to judge', async () => {
    const id = fresh('expired')
    await save(id, {}, 1)
    expect(await at.two.rows.find('Session', id)).toEqual({ payload: { kind: 'Row' }, expiresAt: 1 })
  })

  it('keeps models apart', async () => {
    const id = fresh('model')
    await save(id, { payload: { of: 'Session' }, uid: id })
    expect(await at.two.rows.find('Grant', id)).toBeUndefined()
    expect(await at.two.rows.findBy('Grant', 'uid', id)).toBeUndefined()
    expect(await at.two.rows.consume('Grant', id, 1)).toBe(false)
    await at.two.rows.destroy('Grant', id)
    expect(await at.two.rows.findBy('Session', 'uid', id)).toMatchObject({ payload: { of: 'Session' } })
  })

  it('finds by uid and user code, the one that lives longest', async () => {
    const [uid, userCode] = [fresh('uid'), fresh('code')]
    await save(fresh('row'), { payload: { old: true }, uid, userCode }, 1000)
    await save(fresh('row'), { payload: { old: false }, uid, userCode }, 2000)
    await save(fresh('row'), { payload: { old: true }, uid, userCode }, 500)
    expect(await at.two.rows.findBy('Session', 'uid', uid)).toMatchObject({ payload: { old: false } })
    expect(await at.two.rows.findBy('Session', 'userCode', userCode)).toMatchObject({ payload: { old: false } })
    expect(await at.two.rows.findBy('Session', 'uid', userCode)).toBeUndefined()
  })

  it('SE-1: never raises a stamp, whatever the order of saves', async () => {
    const id = fresh('stamp')
    const stamp = async () => (await at.two.rows.find('Session', id))?.stamp
    await save(id)
    expect(await stamp()).toBeUndefined()
    await save(id, { stamp: 5 })
    expect(await stamp()).toBe(5)
    await save(id, { stamp: 6 })
    expect(await stamp()).toBe(5)
    await save(id)
    expect(await stamp()).toBe(5)
    await save(id, { stamp: 4 })
    expect(await stamp()).toBe(4)
    const other = fresh('stamp')
    await race(50, at, (store, caller) => store.rows.upsert('Session', other, aRow({ stamp: 100 - caller }), 1))
    expect((await at.two.rows.find('Session', other))?.stamp).toBe(51)
  })

  it('OI-5: consumes once, says when, and a save in flight does not undo it', async () => {
    const id = fresh('code')
    expect(await at.one.rows.consume('Session', id, 7)).toBe(false)
    await save(id, { payload: { a: 1 } })
    expect(await at.one.rows.consume('Session', id, 7)).toBe(true)
    expect(await at.two.rows.consume('Session', id, 8)).toBe(false)
    expect(await at.two.rows.find('Session', id)).toEqual({ payload: { a: 1, consumed: 7 } })
    await save(id, { payload: { a: 2 } })
    expect(await at.two.rows.find('Session', id)).toEqual({ payload: { a: 2, consumed: 7 } })
    const saved = fresh('saved-consumed')
    await save(saved, { payload: { consumed: 9 } })
    expect(await at.two.rows.consume('Session', saved, 10)).toBe(false)
  })

  it('destroys, revokes by grant, and removes what is older than an epoch', async () => {
    const [accountId, grantId] = [fresh('account'), fresh('grant')]
    const ids = [1, 2, 3, 4, 5].map(() => fresh('row'))
    const [old, current, unstamped, token, other] = ids as [string, string, string, string, string]
    await save(old, { accountId, stamp: 1 })
    await save(current, { accountId, stamp: 2 }, undefined, 'Grant')
    await save(unstamped, { accountId })
    await save(token, { accountId, grantId, stamp: 2 }, undefined, 'RefreshToken')
    await save(other, { accountId: fresh('other'), stamp: 1 })
    const dead = await at.two.rows.older('Session', accountId, 2)
    expect(dead.map(({ stamp }) => stamp ?? 0).toSorted((a, b) => a - b)).toEqual([0, 1])
    expect(dead[0]).toMatchObject({ accountId, payload: { kind: 'Row' } })
    expect(await at.two.rows.older('Session', accountId, 1)).toHaveLength(1)
    expect(await at.two.rows.older('RefreshToken', accountId, 3)).toHaveLength(1)
    expect(await at.two.rows.removeOlder(accountId, 2)).toBe(2)
    expect(await at.two.rows.older('Session', accountId, 2)).toEqual([])
    expect(await at.two.rows.removeOlder(accountId, 2)).toBe(0)
    expect(await at.one.rows.find('Session', old)).toBeUndefined()
    expect(await at.one.rows.find('Session', unstamped)).toBeUndefined()
    expect(await at.one.rows.find('Session', other)).toBeDefined()
    await at.two.rows.revokeByGrantId(grantId)
    expect(await at.one.rows.find('RefreshToken', token)).toBeUndefined()
    expect(await at.one.rows.find('Grant', current)).toBeDefined()
    await at.two.rows.destroy('Grant', current)
    expect(await at.one.rows.find('Grant', current)).toBeUndefined()
  })

  describe.each([50, 100])('OI-5, RS-4: 20 rounds of %i callers', (callers) => {
    it('a row is consumed by exactly one', async () => {
      for (const _ of ROUNDS) {
        const id = fresh('code')
        await save(id, {}, undefined, 'AuthorizationCode')
        const results = await race(callers, at, (store, caller) => store.rows.consume('AuthorizationCode', id, caller))
        expect(results.filter(Boolean)).toHaveLength(1)
        const row = await at.two.rows.find('AuthorizationCode', id)
        expect(row?.payload).toEqual({ kind: 'Row', consumed: results.indexOf(true) })
      }
    })
  })
}
