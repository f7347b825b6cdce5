import { describe, expect, it } from '@jest/globals'
import {
  isMailedCode,
  mailedCode,
  opaqueId,
  recoveryCode,
  recoveryCodeTyped,
  typedDigits,
  usernameKey,
} from '../../src/domain/codes.ts'
import { testChance } from './chance.ts'

const chance = testChance()

describe('mailed codes', () => {
  it('OC-1: eight digits, uniform in every place, leading zeros kept', () => {
    const many = 100_000
    const counts = Array.from({ length: 8 }, () => Array.from({ length: 10 }, () => 0))
    for (let round = 0; round < many; round++) {
      const code = mailedCode(chance)
      if (!isMailedCode(code)) throw new Error(code)
      for (let place = 0; place < 8; place++) counts[place]![Number(code[place])]!++
    }
    for (const place of counts) {
      const expected = many / 10
      const chiSquare = place.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
      // 9 degrees of freedom: above 50 less than once in ten million runs.
      expect(chiSquare).toBeLessThan(50)
    }
  })

  it('OC-1: draws again above the last whole multiple, so that no code is likelier', () => {
    const draws = [0xffffffff, 4_200_000_000, 4_199_999_999]
    const scripted = {
      now: () => 0,
      random: () => {
        const bytes = Buffer.alloc(4)
        bytes.writeUInt32BE(draws.shift() ?? 0)
        return bytes
      },
    }
    expect(mailedCode(scripted)).toBe('99999999')
    expect(mailedCode(scripted)).toBe('00000000')
  })

  it('are read with spaces and full-width digits', () => {
    expect(typedDigits(' 1234 5678 ')).toBe('12345678')
    expect(typedDigits('１２３４\u3000５６７８')).toBe('12345678')
    expect(typedDigits(undefined)).toBe('')
    for (const text of ['1234567', '123456789', '1234567x', '+1234567', '٠١٢٣٤٥٦٧']) {
      expect(isMailedCode(typedDigits(text))).toBe(false)
    }
  })
})

describe('recovery codes', () => {
  it('RC-1: six groups of four without look-alikes, 120 bits that all matter', () => {
    const codes = Array.from({ length: 5000 }, () => recoveryCode(chance))
    expect(new Set(codes).size).toBe(codes.length)
    for (const code of codes) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/)
    for (let bit = 0; bit < 120; bit++) {
      const random = Buffer.alloc(15)
      random[bit >> 3] = 1 << (bit & 7)
      expect(recoveryCode({ now: () => 0, random: () => random })).not.toBe('0000-0000-0000-0000-0000-0000')
    }
    expect(recoveryCode({ now: () => 0, random: () => Buffer.alloc(15, 0xff) })).toBe('ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ')
  })

  it('RC-1: case, spaces, dashes and look-alikes do not matter', () => {
    const code = '0A1B-2C3D-4E5F-6G7H-8J9K-MNPQ'
    const plain = code.replaceAll('-', '')
    for (const typed of [
      code,
      code.toLowerCase(),
      plain,
      ` ${code.replaceAll('-', ' ')}\n`,
      code.replaceAll('-', '–'),
    ]) {
      expect(recoveryCodeTyped(typed)).toBe(plain)
    }
    expect(recoveryCodeTyped(`oA${'iL'.repeat(11)}`)).toBe(`0A${'11'.repeat(11)}`)
  })

  it('refuse what cannot be one', () => {
    for (const typed of ['', 'x', 'U'.repeat(24), '0'.repeat(23), '0'.repeat(25), '*'.repeat(24), '0'.repeat(10_000)]) {
      expect(recoveryCodeTyped(typed)).toBeUndefined()
    }
  })
})

describe('ids', () => {
  it('have 128 random bits', () => {
    expect(Buffer.from(opaqueId(chance), 'base64url')).toHaveLength(16)
    expect(opaqueId(chance)).not.toBe(opaqueId(chance))
  })
})

describe('names', () => {
  it('TH-5: spellings of one name share one key', () => {
    for (const spelling of ['Alice', ' alice\t', 'ALICE', 'ａｌｉｃｅ', 'al\u200bice', 'al\u00adice']) {
      expect(usernameKey(spelling)).toBe('alice')
    }
    expect(usernameKey('Straße')).toBe(usernameKey('STRASSE'))
    expect(usernameKey('ΟΔΥΣΣΕΥΣ')).toBe(usernameKey('οδυσσευσ'))
    expect(usernameKey('e\u0301')).toBe(usernameKey('É'))
    expect(usernameKey('alice')).not.toBe(usernameKey('alice2'))
  })

  it('TH-5: a key is its own key, for every character', () => {
    for (let point = 0; point <= 0x10ffff; point++) {
      const once = usernameKey(`a${String.fromCodePoint(point)}b`)
      if (once === 'ab') continue
      if (usernameKey(once) !== once || usernameKey(once.toUpperCase()) !== once) {
        throw new Error(`U+${point.toString(16)} gives ${JSON.stringify(once)}`)
      }
    }
  })
})
