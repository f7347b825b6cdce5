import { describe, expect, it } from '@jest/globals'
import { budgets } from '../../src/domain/budget.ts'
import type { Credential } from '../../src/domain/types.ts'
import { email as createEmail } from '../../src/methods/email/index.ts'
import { type Bench, begun, bench, enrolled, outcome, proven } from './turn.ts'

const MINUTE = 60_000
const email = createEmail({ codeLife: 10 * MINUTE })

const enrol = (one: Bench, kept: unknown, code: string, flow?: string) =>
  email.enrol.answer(kept, { code }, one.turn(email, flow))

const other = (code: string) => String((Number(code) + 1) % 100_000_000).padStart(8, '0')
const keepOf = (answer: object): unknown => ('keep' in answer ? answer.keep : undefined)
const generation = (one: Bench, kept: unknown) => email.enrol.limits?.(kept, one.turn(email))[0]?.key

const address: Credential = { id: 'a1', method: 'email', label: '', addedAt: 0, data: { address: 'bound@example.org' } }

describe('proving the address on file', () => {
  it('mails eight digits to it, and binds it when they are typed', async () => {
    const one = bench()
    const { keep, send, code } = await begun(email.enrol, one.turn(email))
    expect(send).toMatchObject({ to: 'alice@example.org', template: 'code', expiresAt: one.chance.now() + 10 * MINUTE })
    expect(send?.values).toEqual({ code: expect.stringMatching(/^\d{8}$/), minutes: 10, purpose: 'enrol' })
    const answer = enrolled(await enrol(one, keep, ` ${code.slice(0, 4)} ${code.slice(4)} `))
    expect(answer).toEqual({
      credential: { method: 'email', label: 'a…@example.org', data: { address: 'alice@example.org' } },
      destination: 'alice@example.org',
    })
  })

  it('EN-1: only an address that was verified is trusted, and none is taken from the form', async () => {
    const one = bench()
    for (const account of [
      { ...one.account, emailVerified: false },
      { ...one.account, email: '' },
    ]) {
      one.account = account
      expect(await email.enrol.begin?.(one.turn(email), undefined)).toEqual({ problem: 'no_trusted_address' })
    }
  })

  it('RS-9: a code for an address that is no longer on file binds nothing', async () => {
    const one = bench()
    const { keep, code } = await begun(email.enrol, one.turn(email))
    one.account = { ...one.account, email: 'new@example.org' }
    expect(outcome(await enrol(one, keep, code))).toBe('account_changed')
  })

  it('OC-7: what is kept holds no code and cannot be searched without the key', async () => {
    const one = bench()
    const { keep, code } = await begun(email.enrol, one.turn(email))
    expect(JSON.stringify(keep)).not.toContain(code)
    expect(keep).toMatchObject({ codes: [{ digest: expect.stringMatching(/^d\.[\w-]{43}$/) }] })
  })

  it('tells missing from wrong', async () => {
    const one = bench()
    const { keep, code } = await begun(email.enrol, one.turn(email))
    expect(outcome(await enrol(one, keep, '  '))).toBe('code_missing')
    for (const wrong of [other(code), code.slice(1), `${code}0`, `+${code.slice(1)}`, 'x', '0x123456']) {
      expect(outcome(await enrol(one, keep, wrong))).toBe('wrong_code')
    }
  })

  it('OC-1: a code lives ten minutes', async () => {
    const one = bench()
    const { keep, code } = await begun(email.enrol, one.turn(email))
    one.chance.pass(10 * MINUTE)
    expect(outcome(await enrol(one, keep, code))).toBe('ok')
    one.chance.pass(1)
    expect(outcome(await enrol(one, keep, code))).toBe('code_expired')
    expect(outcome(await enrol(one, keep, other(code)))).toBe('code_expired')
  })

  it('OC-3: a code is of no use in another flow, for another account, address or purpose', async () => {
    const one = bench()
    const { keep, code } = await begun(email.enrol, one.turn(email))
    expect(outcome(await enrol(one, keep, code, 'flow-2'))).toBe('wrong_code')
    const bob = bench('bob', one.chance)
    expect(outcome(await enrol(bob, keep, code))).toBe('wrong_code')
    const moved = Object.assign({}, keep, { address: 'bob@example.org' })
    expect(outcome(await enrol(one, moved, code))).toBe('wrong_code')
    one.account = { ...one.account, credentials: [{ ...address, data: { address: 'alice@example.org' } }] }
    expect(outcome(await email.prove.answer(keep, { code }, one.turn(email)))).toBe('wrong_code')
    expect(outcome(await enrol(one, keep, code))).toBe('ok')
  })
})

describe('sending again', () => {
  it('waits 60 s, and says until when', async () => {
    const one = bench()
    const sentAt = one.chance.now()
    const { keep } = await begun(email.enrol, one.turn(email))
    one.chance.pass(MINUTE - 1)
    const early = await email.enrol.begin?.(one.turn(email), keep)
    expect(early).toEqual({ problem: 'too_many_mails', until: sentAt + MINUTE })
    one.chance.pass(1)
    await begun(email.enrol, one.turn(email), keep)
  })

  it('OC-3: two codes live at a time, the third kills the first', async () => {
    const one = bench()
    const codes: string[] = []
    let kept: unknown
    for (let round = 0; round < 3; round++) {
      const { keep, code } = await begun(email.enrol, one.turn(email), kept)
      codes.push(code)
      kept = keep
      one.chance.pass(MINUTE)
      if (round === 1) for (const code of codes) expect(outcome(await enrol(one, kept, code))).toBe('ok')
    }
    const [first = '', second = '', third = ''] = codes
    expect(outcome(await enrol(one, kept, first))).toBe('wrong_code')
    expect(outcome(await enrol(one, kept, second))).toBe('ok')
    expect(outcome(await enrol(one, kept, third))).toBe('ok')
  })

  it('OC-2: shares the tries of the code before, until they are spent', async () => {
    const one = bench()
    const first = await begun(email.enrol, one.turn(email))
    let kept: unknown = first.keep
    for (let tries = 0; tries < 4; tries++) kept = keepOf(await enrol(one, kept, other(first.code)))
    one.chance.pass(MINUTE)
    const second = await begun(email.enrol, one.turn(email), kept)
    expect(generation(one, second.keep)).toBe(generation(one, first.keep))
    kept = keepOf(await enrol(one, second.keep, 'x'))
    one.chance.pass(MINUTE)
    const third = await begun(email.enrol, one.turn(email), kept)
    expect(generation(one, third.keep)).not.toBe(generation(one, first.keep))
    expect(outcome(await enrol(one, third.keep, second.code))).toBe('wrong_code')
    expect(outcome(await enrol(one, third.keep, third.code))).toBe('ok')
  })

  it('OC-2: codes that all expired leave nothing to share', async () => {
    const one = bench()
    const first = await begun(email.enrol, one.turn(email))
    one.chance.pass(11 * MINUTE)
    const second = await begun(email.enrol, one.turn(email), first.keep)
    expect(generation(one, second.keep)).not.toBe(generation(one, first.keep))
  })

  it('OC-2: tries count per code and per day, in the names of flow and generation', async () => {
    const one = bench()
    const { keep } = await begun(email.enrol, one.turn(email))
    const limits = email.enrol.limits?.(keep, one.turn(email)) ?? []
    expect(limits.map(({ budget }) => budget)).toEqual([budgets.mailedCode, budgets.mailedCodes])
    expect(limits[0]?.key).toMatch(/^code:flow-1:./)
    expect(limits[1]?.key).toBe('codes')
  })
})

describe('proving a bound address', () => {
  it('mails to the credential, not to the address on file', async () => {
    const one = bench()
    one.account = { ...one.account, credentials: [address] }
    const { keep, send, code } = await begun(email.prove, one.turn(email))
    expect(send?.to).toBe('bound@example.org')
    expect(email.prove.view(keep, one.turn(email))).toEqual({
      address: 'b…@example.org',
      minutes: 10,
      resendAt: one.chance.now() + MINUTE,
    })
    const answer = proven(await email.prove.answer(keep, { code }, one.turn(email)))
    expect(answer).toMatchObject({ credential: 'a1', destination: 'bound@example.org' })
    expect(one.apply(answer.change)).toBeUndefined()
    expect(one.account.credentials[0]?.lastUsedAt).toBe(one.chance.now())
  })

  it('is not possible without one, and not after it went', async () => {
    const one = bench()
    expect(await email.prove.begin?.(one.turn(email), undefined)).toEqual({ problem: 'method_unavailable' })
    one.account = { ...one.account, credentials: [address] }
    const { keep, code } = await begun(email.prove, one.turn(email))
    const { change } = proven(await email.prove.answer(keep, { code }, one.turn(email)))
    one.account = { ...one.account, credentials: [] }
    expect(one.apply(change)).toBe('account_changed')
    expect(outcome(await email.prove.answer(keep, { code }, one.turn(email)))).toBe('account_changed')
  })

  it('OC-4: is no factor of sign-in', () => {
    expect(email).toMatchObject({ amr: [], standalone: false, kind: 'message', serves: ['recovery', 'bootstrap'] })
  })
})
