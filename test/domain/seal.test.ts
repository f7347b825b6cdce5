import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { Unavailable } from '../../src/domain/problems.ts'
import { digest, type KeyRing, matches, open, seal, SealBroken, vaultFor } from '../../src/domain/seal.ts'

const key = (id: string) => ({ id, key: randomBytes(32) })
const ring: KeyRing = [key('a')]
const context = ['account', 'alice', 'field']

describe('sealing', () => {
  it('opens what it sealed, whatever the text', () => {
    for (const text of ['', 'x', '日本語', '\0', 'x'.repeat(100_000)]) {
      expect(open(ring, seal(ring, text, context), context)).toBe(text)
    }
  })

  it('SC-2: carries version and key id, and no nonce repeats', () => {
    const sealed = Array.from({ length: 20_000 }, () => seal(ring, 'x', context))
    expect(sealed[0]).toMatch(/^v1\.a\.[\w-]{16}\.[\w-]+\.[\w-]{22}$/)
    expect(new Set(sealed.map((text) => text.split('.')[2])).size).toBe(sealed.length)
  })

  it('SC-2: refuses every changed character, every cut and every added part', () => {
    const sealed = seal(ring, 'secret', context)
    for (let place = 0; place < sealed.length; place++) {
      const other = sealed[place] === 'A' ? 'B' : 'A'
      const changed = sealed.slice(0, place) + other + sealed.slice(place + 1)
      expect(() => open(ring, changed, context)).toThrow(SealBroken)
      expect(() => open(ring, sealed.slice(0, place), context)).toThrow(SealBroken)
    }
    for (const text of [`${sealed}.x`, `${sealed}=`, ` ${sealed}`, '', '....', 'v1.a...']) {
      expect(() => open(ring, text, context)).toThrow(SealBroken)
    }
  })

  it('SC-2: refuses another context, also one whose parts join to the same text', () => {
    const sealed = seal(ring, 'secret', ['a', 'bc'])
    for (const other of [['ab', 'c'], ['a', 'b', 'c'], ['a'], ['a', 'bc', ''], []]) {
      expect(() => open(ring, sealed, other)).toThrow(SealBroken)
    }
  })

  it('SC-2: refuses another key id, even when its key is loaded', () => {
    const two: KeyRing = [ring[0], key('b')]
    expect(() => open(two, seal(ring, 'x', context).replace('v1.a.', 'v1.b.'), context)).toThrow(SealBroken)
  })

  it('SC-3: a new first key seals, the old one still opens', () => {
    const old = seal(ring, 'old', context)
    const rotated: KeyRing = [key('b'), ring[0]]
    expect(open(rotated, old, context)).toBe('old')
    expect(seal(rotated, 'new', context)).toMatch(/^v1\.b\./)
  })

  it('EN-5: a key that is gone is "unavailable", not "none"', () => {
    const sealed = seal(ring, 'x', context)
    const gone: KeyRing = [key('b')]
    expect(() => open(gone, sealed, context)).toThrow(SealBroken)
    expect(() => open(gone, sealed, context)).toThrow(Unavailable)
    expect(() => matches(gone, 'x', digest(ring, 'x', context), context)).toThrow(SealBroken)
  })
})

describe('keyed digests', () => {
  it('match the text, the context and nothing else', () => {
    const stored = digest(ring, 'code', context)
    expect(stored).toMatch(/^a\.[\w-]{43}$/)
    expect(matches(ring, 'code', stored, context)).toBe(true)
    expect(matches(ring, 'code ', stored, context)).toBe(false)
    expect(matches(ring, 'code', stored, ['account', 'bob', 'field'])).toBe(false)
    expect(matches([key('a')], 'code', stored, context)).toBe(false)
  })

  it('SC-3: keep matching after a new key came first', () => {
    expect(matches([key('b'), ring[0]], 'code', digest(ring, 'code', context), context)).toBe(true)
  })

  it('refuse a stored value of unknown form', () => {
    for (const stored of ['', 'a', 'a.', 'a.x', `${digest(ring, 'x', context)}.x`, 'b.AAAA']) {
      expect(() => matches(ring, 'x', stored, context)).toThrow(SealBroken)
    }
  })
})

describe('a vault', () => {
  it('TO-7: opens nothing that was sealed for another account or field', () => {
    const keys = { seal: ring, digest: [key('d')] as const }
    const alice = vaultFor(keys, 'alice')
    const sealed = alice.seal('secret', 'f')
    expect(alice.open(sealed, 'f')).toBe('secret')
    expect(() => alice.open(sealed, 'g')).toThrow(SealBroken)
    expect(() => vaultFor(keys, 'bob').open(sealed, 'f')).toThrow(SealBroken)
    expect(vaultFor(keys, 'bob').matches('x', alice.digest('x', 'f'), 'f')).toBe(false)
    expect(alice.matches('x', alice.digest('x', 'f'), 'f')).toBe(true)
  })
})
