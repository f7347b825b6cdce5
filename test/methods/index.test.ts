import { describe, expect, it } from '@jest/globals'
import { createMethods } from '../../src/methods/index.ts'

describe('the methods', () => {
  const methods = createMethods()

  it('come strongest first', () => {
    expect(methods.map(({ id }) => id)).toEqual(['totp', 'recovery-codes', 'email'])
  })

  it('EN-13: only what is a factor adds to amr, and only registered values', () => {
    for (const { amr, serves } of methods) {
      expect(amr).toEqual(serves.includes('second-factor') ? ['otp'] : [])
    }
  })

  it('at least one second factor can stand alone, and recovery codes cannot', () => {
    expect(methods.filter(({ standalone }) => standalone).map(({ id }) => id)).toEqual(['totp'])
  })
})
