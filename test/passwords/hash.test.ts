import { randomBytes } from 'node:crypto'
import { jest, describe, expect, it } from '@jest/globals'
import bcrypt from 'bcrypt'
import { type KeyRing, SealBroken } from '../../src/domain/seal.ts'
import { createGate } from '../../src/passwords/gate.ts'
import { createPasswords, importable } from '../../src/passwords/hash.ts'

const COST = 4
const keys: KeyRing = [{ id: 'k1', key: randomBytes(32) }]
const pool = createGate({ atOnce: 2, queue: 1000 })
const passwords = createPasswords({ keys, cost: COST, pool })
const wrong = { ok: false, renew: false }

/** The costs of every hash that `act` pays for. */
async function paid(act: () => Promise<unknown>): Promise<number[]> {
  const spy = jest.spyOn(bcrypt, 'compare')
  await act()
  const costs = spy.mock.calls.map(([, hash]) => Number(hash.slice(4, 6)))
  spy.mockRestore()
  return costs
}

describe('own hashes', () => {
  it('verify the password and no other', async () => {
    const stored = await passwords.hash('correct horse')
    expect(stored).toMatch(/^\$self1\$k1\$2b\$04\$[./0-9A-Za-z]{53}$/)
    expect(await passwords.verify('correct horse', stored)).toEqual({ ok: true, renew: false })
    for (const other of ['correct horsE', 'correct horse ', ' correct horse', '', 'correct']) {
      expect(await passwords.verify(other, stored)).toEqual(wrong)
    }
  })

  it('PW-8: every hash has a salt of its own of 16 bytes', async () => {
    const salts = await Promise.all(
      Array.from({ length: 20 }, async () => (await passwords.hash('same')).split('$').at(-1)?.slice(0, 22)),
    )
    expect(new Set(salts).size).toBe(20)
  })

  it.each([
    ['bytes', 'a'.repeat(72), 'b', 'c'],
    ['bytes far behind', 'a'.repeat(200), 'b', 'c'],
    ['characters of three bytes', '漢'.repeat(23), '字典一', '字典二'],
    ['a character across byte 72', 'a'.repeat(71), 'é', 'è'],
    ['a NUL', 'a', '\0b', '\0c'],
  ])('PW-2: nothing is cut at 72 bytes: %s', async (_what, start, end, otherEnd) => {
    const stored = await passwords.hash(start + end)
    expect((await passwords.verify(start + end, stored)).ok).toBe(true)
    expect(await passwords.verify(start + otherEnd, stored)).toEqual(wrong)
    expect(await passwords.verify(start, stored)).toEqual(wrong)
  })

  it('PW-2: 256 code points are taken whole, more are refused', async () => {
    const longest = '😀'.repeat(256)
    const stored = await passwords.hash(longest)
    expect((await passwords.verify(longest, stored)).ok).toBe(true)
    expect(await passwords.verify('😀'.repeat(255), stored)).toEqual(wrong)
    await expect(passwords.hash(`${longest}a`)).rejects.toThrow(RangeError)
  })

  it('PW-2: above 4,096 bytes no hash is paid for, for a known name as for an unknown one', async () => {
    const stored = await passwords.hash('x')
    const absurd = 'x'.repeat(4097)
    const costs = await paid(async () => {
      expect(await passwords.verify(absurd, stored)).toEqual(wrong)
      expect(await passwords.verify(absurd, undefined)).toEqual(wrong)
      await passwords.dummy(absurd)
    })
    expect(costs).toEqual([])
    expect(await paid(() => passwords.verify('x'.repeat(4096), stored))).toEqual([COST])
  })

  it('PW-3: NFC and NFD are one password; spaces around it count', async () => {
    const stored = await passwords.hash('Ångström é 각'.normalize('NFD'))
    expect((await passwords.verify('Ångström é 각'.normalize('NFC'), stored)).ok).toBe(true)
    expect((await passwords.verify('Ångström é 각'.normalize('NFD'), stored)).ok).toBe(true)
    const spaced = await passwords.hash(' a b c ')
    expect((await passwords.verify(' a b c ', spaced)).ok).toBe(true)
    expect(await passwords.verify('a b c', spaced)).toEqual(wrong)
  })

  it('SC-4: are worth nothing without the key of the prehash', async () => {
    const stored = await passwords.hash('secret')
    const thief = createPasswords({ keys: [{ id: 'k1', key: randomBytes(32) }], cost: COST, pool })
    expect(await thief.verify('secret', stored)).toEqual(wrong)
    expect(await bcrypt.compare('secret', stored.slice('$self1$k1'.length))).toBe(false)
  })

  it('PW-8: are renewed at another cost and with a newer key', async () => {
    const stored = await passwords.hash('secret')
    const dearer = createPasswords({ keys, cost: COST + 1, pool })
    expect(await dearer.verify('secret', stored)).toEqual({ ok: true, renew: true })
    const rotated = createPasswords({ keys: [{ id: 'k2', key: randomBytes(32) }, keys[0]], cost: COST, pool })
    expect(await rotated.verify('secret', stored)).toEqual({ ok: true, renew: true })
    expect(await rotated.verify('secret', await rotated.hash('secret'))).toEqual({ ok: true, renew: false })
  })

  it('EN-5: a prehash key that is gone is no wrong password', async () => {
    const stored = await passwords.hash('secret')
    const other = createPasswords({ keys: [{ id: 'k2', key: randomBytes(32) }], cost: COST, pool })
    await expect(other.verify('secret', stored)).rejects.toThrow(SealBroken)
  })
})

describe('hashes from elsewhere', () => {
  it.each(['$2a$', '$2b$', '$2y$'])('PW-8: %s verifies and is to be renewed', async (prefix) => {
    const foreign = (await bcrypt.hash('secret', COST)).replace('$2b$', prefix)
    expect(await passwords.verify('secret', foreign)).toEqual({ ok: true, renew: true })
    expect(await passwords.verify('Secret', foreign)).toEqual(wrong)
  })

  it('verify a vector made by another implementation', async () => {
    // crypt_blowfish's own vector, and one made by libxcrypt.
    const vector = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'
    expect((await passwords.verify('U*U', vector)).ok).toBe(true)
    expect((await passwords.verify('U*U*', vector)).ok).toBe(false)
    const other = '$2y$05$CCCCCCCCCCCCCCCCCCCCC.TwPB69vENq.dSvwmUz6Bzaiz1V8Ygs2'
    expect((await passwords.verify('pass ä', other)).ok).toBe(true)
  })

  it('were cut at 72 bytes where they came from, and are verified like that', async () => {
    const foreign = await bcrypt.hash(`${'a'.repeat(72)}b`, COST)
    for (const prefix of ['$2a$', '$2b$', '$2y$']) {
      const stored = foreign.replace('$2b$', prefix)
      expect((await passwords.verify('a'.repeat(300), stored)).ok).toBe(true)
      expect((await passwords.verify('a'.repeat(71), stored)).ok).toBe(false)
    }
  })

  it.each([
    ['empty', ''],
    ['a prefix', '$2b$'],
    ['cut', '$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe'],
    ['long', '$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWx'],
    ['another alphabet', '$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyO+='],
    ['a broken variant', '$2x$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['an impossible cost', '$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['an endless cost', '$2b$99$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['another scheme', '$argon2id$v=19$m=65536,t=2,p=1$gZiV/M1gPc22ElAH$CWORkoo13oJBQ/iyh7OUO0LO4yLEgVH'],
    ['text', 'secret'],
    ['with a line end', '$2a$06$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n'],
  ])('malformed (%s): fails, never throws, costs the same and cannot be imported', async (_what, stored) => {
    const costs = await paid(async () => expect(await passwords.verify('U*U', stored)).toEqual(wrong))
    expect(costs).toEqual([COST])
    expect(importable(stored, 12)).toMatch(/not a bcrypt hash/)
  })

  it('cannot be imported above the configured cost, nor in our own form', async () => {
    const at = (cost: string) => `$2y$${cost}$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`
    expect(importable(at('12'), 12)).toBeUndefined()
    expect(importable(at('05'), 12)).toBeUndefined()
    expect(importable(at('13'), 12)).toMatch(/cost 13, above the configured 12/)
    expect(importable(await passwords.hash('x'), 12)).toMatch(/not a bcrypt hash/)
  })
})

describe('EM-2: a failure costs the work of one hash at the configured cost', () => {
  const work = (costs: number[]) => costs.reduce((sum, cost) => sum + 2 ** cost, 0)

  it('for an unknown name, a wrong password and a repeat', async () => {
    const stored = await passwords.hash('secret')
    expect(await paid(() => passwords.verify('wrong', undefined))).toEqual([COST])
    expect(await paid(() => passwords.verify('wrong', stored))).toEqual([COST])
    expect(await paid(() => passwords.dummy('wrong'))).toEqual([COST])
  })

  it.each([4, 5, 6, 8])('for an imported hash of cost %i: topped up', async (cost) => {
    const dear = createPasswords({ keys, cost: 8, pool })
    const foreign = await bcrypt.hash('secret', cost)
    const costs = await paid(() => dear.verify('wrong', foreign))
    expect(work(costs)).toBe(2 ** 8)
    expect(await paid(() => dear.verify('secret', foreign))).toEqual([cost])
  })

  it('in time, at the real cost: unknown, wrong and cheap imported within a factor of two', async () => {
    const real = createPasswords({ keys, cost: 12, pool: createGate({ atOnce: 1 }) })
    const own = await real.hash('secret')
    const foreign = await bcrypt.hash('secret', 8)
    const time = async (stored: string | undefined) => {
      const before = process.hrtime.bigint()
      expect((await real.verify('wrong', stored)).ok).toBe(false)
      return Number(process.hrtime.bigint() - before)
    }
    const best = async (stored: string | undefined) =>
      Math.min(await time(stored), await time(stored), await time(stored))
    const times = [await best(own), await best(undefined), await best(foreign)]
    expect(Math.max(...times) / Math.min(...times)).toBeLessThan(2)
    expect(await real.verify('secret', own)).toEqual({ ok: true, renew: false })
  })
})
