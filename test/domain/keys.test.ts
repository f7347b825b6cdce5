import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { KeysUnusable, loadKeys, parseRootKeys } from '../../src/domain/keys.ts'
import type { ClaimStore } from '../../src/domain/ports.ts'
import { testChance } from './chance.ts'

const chance = testChance()

function memoryClaims() {
  const values = new Map<string, string>()
  let calls = 0
  const claims: ClaimStore = {
    async claim(id, value) {
      calls++
      await Promise.resolve()
      if (!values.has(id)) values.set(id, value)
      return values.get(id) ?? ''
    },
    async find(id) {
      calls++
      await Promise.resolve()
      return values.get(id)
    },
    async swap(id, from, to) {
      calls++
      await Promise.resolve()
      if (values.get(id) !== from) return false
      values.set(id, to)
      return true
    },
  }
  return { claims, values, calls: () => calls }
}

describe('data keys', () => {
  it('are made once: processes that start together get the same ones', async () => {
    const { claims } = memoryClaims()
    const roots = [randomBytes(32)]
    const [first, ...others] = await Promise.all(Array.from({ length: 4 }, () => loadKeys(claims, roots, chance)))
    for (const other of others) expect(other).toEqual(first)
    expect(await loadKeys(claims, roots, chance)).toEqual(first)
    const rings = [first?.seal, first?.digest, first?.prehash].map((ring) => ring?.[0].key.toString('hex'))
    expect(new Set(rings).size).toBe(3)
    for (const ring of [first?.seal, first?.digest, first?.prehash]) expect(ring?.[0].key).toHaveLength(32)
  })

  it('sign: RS256 first, then ES256, both usable and named', async () => {
    const { jwks } = await loadKeys(memoryClaims().claims, [randomBytes(32)], chance)
    expect(jwks.keys.map(({ alg, use }) => [alg, use])).toEqual([
      ['RS256', 'sig'],
      ['ES256', 'sig'],
    ])
    expect(new Set(jwks.keys.map(({ kid }) => kid)).size).toBe(2)
    for (const jwk of jwks.keys) {
      const key = createPrivateKey({ key: jwk, format: 'jwk' })
      const text = Buffer.from('x')
      expect(verify('sha256', text, createPublicKey(key), sign('sha256', text, key))).toBe(true)
    }
  })

  it('SC-2: lie sealed in the store', async () => {
    const { claims, values } = memoryClaims()
    const root = randomBytes(32)
    const keys = await loadKeys(claims, [root], chance)
    const dump = [...values.values()].join()
    expect(dump).toMatch(/^v1\./)
    for (const secret of [root, keys.seal[0].key, keys.digest[0].key, keys.prehash[0].key]) {
      expect(dump).not.toContain(secret.toString('base64url'))
    }
    expect(dump).not.toContain(keys.cookies[0])
  })

  it('take one read to load', async () => {
    const { claims, calls } = memoryClaims()
    const roots = [randomBytes(32)]
    await loadKeys(claims, roots, chance)
    const before = calls()
    await loadKeys(claims, roots, chance)
    expect(calls() - before).toBe(1)
  })

  it('SC-3: a new first root re-seals them, nothing is lost, and the old root can go', async () => {
    const { claims } = memoryClaims()
    const [old, fresh] = [randomBytes(32), randomBytes(32)]
    const before = await loadKeys(claims, [old], chance)
    const both = await Promise.all(Array.from({ length: 3 }, () => loadKeys(claims, [fresh, old], chance)))
    for (const keys of both) expect(keys).toEqual(before)
    expect(await loadKeys(claims, [fresh], chance)).toEqual(before)
    await expect(loadKeys(claims, [old], chance)).rejects.toThrow(KeysUnusable)
  })

  it('OP-1: a wrong root refuses with the variable and the fix, and leaves the store alone', async () => {
    const { claims, values } = memoryClaims()
    await loadKeys(claims, [randomBytes(32)], chance)
    const before = [...values]
    await expect(loadKeys(claims, [randomBytes(32)], chance)).rejects.toThrow(/SELF_SERVICE_KEYS.*add that key/)
    expect([...values]).toEqual(before)
  })

  it('OP-1: a changed value refuses, and never makes new keys', async () => {
    const { claims, values } = memoryClaims()
    const roots = [randomBytes(32)]
    await loadKeys(claims, roots, chance)
    for (const [id, value] of values) values.set(id, `${value.slice(0, -3)}AAA`)
    await expect(loadKeys(claims, roots, chance)).rejects.toThrow(/were changed/)
  })

  it('EN-5: a store that cannot be read is no empty store', async () => {
    const { claims } = memoryClaims()
    const down = { ...claims, find: () => Promise.reject(new Error('store down')) }
    await expect(loadKeys(down, [randomBytes(32)], chance)).rejects.toThrow('store down')
  })
})

describe('SELF_SERVICE_KEYS', () => {
  const good = randomBytes(32)

  it('takes base64 and base64url, padded or not, several', () => {
    const other = randomBytes(32)
    expect(parseRootKeys(good.toString('base64'))).toEqual([good])
    expect(parseRootKeys(` ${good.toString('base64url')} , ${other.toString('base64')}\n`)).toEqual([good, other])
  })

  it.each([
    ['nothing', '', /is empty/],
    ['commas', ' , ,', /is empty/],
    ['a gap', `${good.toString('base64')},`, /key 2 is too short \(0 bytes/],
    ['no base64', 'not base64 at all!', /key 1 is not base64/],
    ['too short', randomBytes(16).toString('base64'), /key 1 is too short \(16 bytes/],
    ['hex', good.toString('hex'), /key 1 is too long \(48 bytes/],
    ['zeros', Buffer.alloc(32).toString('base64'), /key 1 is a sample/],
    ['a count', Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString('base64'), /key 1 is a sample/],
    ['text', Buffer.from('correct horse battery staple 123').toString('base64'), /key 1 is text/],
    ['twice the same', `${good.toString('base64')},${good.toString('base64url')}`, /same key twice/],
  ])('refuses %s, saying which and how to mend it', (_what, text, sentence) => {
    expect(() => parseRootKeys(text)).toThrow(KeysUnusable)
    expect(() => parseRootKeys(text)).toThrow(sentence)
    expect(() => parseRootKeys(text)).toThrow(/^SELF_SERVICE_KEYS/)
  })

  it('never shows a key', () => {
    const short = randomBytes(20).toString('base64')
    expect(() => parseRootKeys(short)).not.toThrow(short)
  })
})
