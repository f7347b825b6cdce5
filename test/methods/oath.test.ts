import { describe, expect, it } from '@jest/globals'
import {
  base32,
  codeOf,
  codeTyped,
  fromBase32,
  newSecret,
  otpauthUri,
  stepAt,
  stepsOf,
} from '../../src/methods/totp/oath.ts'
import { qrCode } from '../../src/methods/totp/qr.ts'
import { testChance } from '../domain/chance.ts'

const ascii = (length: number) => Buffer.from('1234567890'.repeat(7).slice(0, length))
const secrets = { sha1: ascii(20), sha256: ascii(32), sha512: ascii(64) }

describe('one-time codes', () => {
  it.each([
    [59, '94287082', '46119246', '90693936'],
    [1111111109, '07081804', '68084774', '25091201'],
    [1111111111, '14050471', '67062674', '99943326'],
    [1234567890, '89005924', '91819424', '93441116'],
    [2000000000, '69279037', '90698825', '38618901'],
    [20000000000, '65353130', '77737706', '47863826'],
  ])('TO-2: the vectors of RFC 6238 at %i s', (seconds, sha1, sha256, sha512) => {
    const step = stepAt(seconds * 1000)
    expect(codeOf(secrets.sha1, step, { digits: 8 })).toBe(sha1)
    expect(codeOf(secrets.sha256, step, { algorithm: 'sha256', digits: 8 })).toBe(sha256)
    expect(codeOf(secrets.sha512, step, { algorithm: 'sha512', digits: 8 })).toBe(sha512)
    expect(codeOf(secrets.sha1, step)).toBe(sha1.slice(2))
  })

  it('TO-2: a code is good in its own step, the one before and the one after, and at no other time', () => {
    const at = Date.UTC(2026, 10, 1)
    const code = codeOf(secrets.sha1, stepAt(at))
    for (let offset = -120; offset <= 120; offset += 5) {
      const good = stepsOf(secrets.sha1, code, at + offset * 1000).length > 0
      expect([offset, good]).toEqual([offset, offset >= -30 && offset < 60])
    }
  })

  it('TO-2: never more than three codes live at once', () => {
    const at = Date.UTC(2026, 10, 1)
    const around = Array.from({ length: 41 }, (_, index) => codeOf(secrets.sha1, stepAt(at) + index - 20))
    expect(around.filter((code) => stepsOf(secrets.sha1, code, at).length > 0)).toHaveLength(3)
  })

  it('answers the step that matched', () => {
    const at = Date.UTC(2026, 10, 1)
    for (const offset of [-1, 0, 1]) {
      expect(stepsOf(secrets.sha1, codeOf(secrets.sha1, stepAt(at) + offset), at)).toEqual([stepAt(at) + offset])
    }
  })

  it('TO-1: secrets have 160 bits and do not repeat', () => {
    const chance = testChance()
    const many = Array.from({ length: 10_000 }, () => newSecret(chance))
    expect(new Set(many.map((secret) => secret.toString('hex'))).size).toBe(many.length)
    for (const secret of many) if (secret.length !== 20) throw new Error('length')
  })

  it('TO-10: takes six digits, spaced or full-width', () => {
    for (const typed of ['046598', ' 046 598 ', '０４６５９８', '046\u00a0598']) expect(codeTyped(typed)).toBe('046598')
  })

  it.each([
    '46598x',
    '+46598',
    '0x1234',
    '04659',
    '0465980',
    '',
    '  ',
    '-46598',
    '4.6598',
    '٠٤٦٥٩٨',
    '046598\0',
    '1e5000',
  ])('TO-10: refuses %j', (typed) => expect(codeTyped(typed)).toBeUndefined())
})

describe('base32', () => {
  it.each([
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ])('the vectors of RFC 4648: %s', (text, encoded) => {
    expect(base32(Buffer.from(text))).toBe(encoded)
    expect(fromBase32(encoded)?.toString()).toBe(text)
    expect(fromBase32(`${encoded}===`)?.toString()).toBe(text)
  })

  it('reads what people copy, and refuses a typo', () => {
    expect(fromBase32('mzxw 6ytb-oi')?.toString()).toBe('foobar')
    for (const typo of ['', 'MZXW6YT8', 'MZXW1', 'MZ=W6', 'A', 'MZX', 'MZXW6Y', 'ΜZXW', 'MZXW6!']) {
      expect(fromBase32(typo)).toBeUndefined()
    }
  })
})

describe('the address of the QR code', () => {
  const secret = Buffer.alloc(20, 7)

  it('TO-1: holds 20 bytes, issuer and account', () => {
    const uri = new URL(otpauthUri({ secret, issuer: 'Example & Söhne', account: 'alice@example.org' }))
    expect([uri.protocol, uri.host]).toEqual(['otpauth:', 'totp'])
    expect(decodeURIComponent(uri.pathname)).toBe('/Example & Söhne:alice@example.org')
    expect(uri.searchParams.get('issuer')).toBe('Example & Söhne')
    expect(fromBase32(uri.searchParams.get('secret') ?? '')).toEqual(secret)
    expect(uri.search).toMatch(/algorithm=SHA1&digits=6&period=30$/)
  })

  it('cannot be bent by a name', () => {
    for (const name of [
      'a:b',
      'a?secret=AAAA&x=',
      'a#b',
      '%3A',
      '\ud800',
      '<svg onload=alert(1)>',
      'x'.repeat(10_000),
    ]) {
      const uri = new URL(otpauthUri({ secret, issuer: name, account: name }))
      expect(uri.searchParams.getAll('secret')).toEqual([base32(secret)])
      expect(decodeURIComponent(uri.pathname).split(':').length).toBe(2)
      expect(qrCode(uri.href)).toMatch(/^<svg /)
    }
  })

  it('is drawn small, without anything that the content security policy refuses', () => {
    const svg = qrCode(otpauthUri({ secret, issuer: 'Example', account: 'alice@example.org' }))
    expect(svg.length).toBeLessThan(8000)
    expect(svg).not.toMatch(/style|script|href|url\(|<image|\son\w+=/)
  })

  it('is drawn module for module', () => {
    const svg = qrCode('otpauth://totp/x')
    const size = Number(/viewBox="0 0 (\d+)/.exec(svg)?.[1])
    const dark = new Set<string>()
    for (const [, x, y, length] of svg.matchAll(/M(\d+) (\d+)h(\d+)/g)) {
      for (let step = 0; step < Number(length); step++) dark.add(`${Number(x) + step},${y}`)
    }
    // The three finders: dark rings of seven modules behind four light ones.
    for (const [left, top] of [
      [4, 4],
      [size - 11, 4],
      [4, size - 11],
    ] as const) {
      for (let step = 0; step < 7; step++) expect(dark.has(`${left + step},${top}`)).toBe(true)
      expect(dark.has(`${left + 1},${top + 1}`)).toBe(false)
      expect(dark.has(`${left + 3},${top + 3}`)).toBe(true)
    }
    for (let step = 0; step < size; step++) expect(dark.has(`${step},3`)).toBe(false)
  })
})
