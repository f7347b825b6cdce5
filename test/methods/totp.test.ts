import { describe, expect, it } from '@jest/globals'
import { isProblem } from '../../src/domain/problems.ts'
import { SealBroken } from '../../src/domain/seal.ts'
import type { Credential } from '../../src/domain/types.ts'
import { totp } from '../../src/methods/totp/index.ts'
import { codeOf, fromBase32, stepAt } from '../../src/methods/totp/oath.ts'
import { type Bench, begun, bench, enrolled, outcome, proven } from './turn.ts'

const STEP = 30_000

/** What the user's phone knows: the key that the page showed. */
const phone = (model: Readonly<Record<string, unknown>>) => {
  const secret = fromBase32(String(model['secret']))
  if (!secret) throw new Error('the page shows no key')
  return { code: (at: number) => codeOf(secret, stepAt(at)) }
}

async function begin(one: Bench, kept?: unknown) {
  const { keep } = await begun(totp.enrol, one.turn(totp), kept)
  return { keep, phone: phone(totp.enrol.view(keep, one.turn(totp))) }
}

/** An account with an authenticator, one step after it was bound. */
async function registered(one = bench()) {
  const { keep, phone } = await begin(one)
  const id = one.bind(enrolled(await totp.enrol.answer(keep, { code: phone.code(one.chance.now()) }, one.turn(totp))))
  one.chance.pass(STEP)
  return {
    ...one,
    one,
    id,
    phone,
    prove: (code: string, kept?: unknown) => totp.prove.answer(kept, { code }, one.turn(totp)),
  }
}

const keepOf = (answer: object): unknown => ('keep' in answer ? answer.keep : undefined)

describe('binding an authenticator app', () => {
  it('shows a key to type, the same key as a link and as a QR code', async () => {
    const one = bench()
    const { keep } = await begin(one)
    const model = totp.enrol.view(keep, one.turn(totp))
    expect(model['secret']).toMatch(/^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$/)
    expect(model['uri']).toContain(`secret=${String(model['secret']).replaceAll(' ', '')}&issuer=Example`)
    expect(model['uri']).toContain('otpauth://totp/Example:alice?')
    expect(model['svg']).toMatch(/^<svg /)
  })

  it('TO-6: counts only after a code of it was typed', async () => {
    const one = bench()
    const { keep, phone } = await begin(one)
    const answer = (code: string) => totp.enrol.answer(keep, { code }, one.turn(totp))
    expect(outcome(await answer(''))).toBe('code_missing')
    const right = phone.code(one.chance.now())
    const wrong = String((Number(right) + 1) % 1_000_000).padStart(6, '0')
    expect(outcome(await answer(wrong))).toBe('wrong_code')
    expect(outcome(await answer(right))).toBe('ok')
  })

  it('TO-6: the pending key lives ten minutes; afterwards there is a new one', async () => {
    const one = bench()
    const { keep, phone: first } = await begin(one)
    one.chance.pass(600_000)
    expect(outcome(await totp.enrol.answer(keep, { code: first.code(one.chance.now()) }, one.turn(totp)))).toBe('ok')
    one.chance.pass(1)
    const late = await totp.enrol.answer(keep, { code: first.code(one.chance.now()) }, one.turn(totp))
    expect(outcome(late)).toBe('code_expired')
    const second = phone(totp.enrol.view(keepOf(late), one.turn(totp)))
    const again = (code: string) => totp.enrol.answer(keepOf(late), { code }, one.turn(totp))
    expect(outcome(await again(first.code(one.chance.now())))).toBe('wrong_code')
    expect(outcome(await again(second.code(one.chance.now())))).toBe('ok')
  })

  it('TO-6: beginning again replaces the pending key', async () => {
    const one = bench()
    const before = await begin(one)
    const after = await begin(one, before.keep)
    const code = before.phone.code(one.chance.now())
    expect(outcome(await totp.enrol.answer(after.keep, { code }, one.turn(totp)))).toBe('wrong_code')
  })

  it('TO-3: the code that confirmed does not prove, its next one does', async () => {
    const { one, phone, prove } = await registered()
    one.chance.pass(-STEP)
    expect(outcome(await prove(phone.code(one.chance.now())))).toBe('code_used')
    one.chance.pass(STEP)
    expect(outcome(await prove(phone.code(one.chance.now())))).toBe('ok')
  })

  it('TO-7, TO-8: the key is sealed for this account and credential, and nothing shows it again', async () => {
    const { one, id } = await registered()
    const [credential] = one.account.credentials
    if (!credential) throw new Error('nothing was bound')
    expect(JSON.stringify(credential)).not.toMatch(/[A-Z2-7]{32}/)
    expect(JSON.stringify(totp.prove.view(undefined, one.turn(totp)))).toBe('{}')
    const other = bench('bob', one.chance)
    other.account = { ...other.account, credentials: [credential] }
    await expect(totp.prove.answer(undefined, { code: '000000' }, other.turn(totp))).rejects.toThrow(SealBroken)
    one.account = { ...one.account, credentials: [{ ...credential, id: `${id}x` }] }
    await expect(totp.prove.answer(undefined, { code: '000000' }, one.turn(totp))).rejects.toThrow(SealBroken)
  })

  it('EN-5: an unreadable key stops the proof even where another authenticator would do, and with any input', async () => {
    const { one, phone, prove } = await registered()
    const broken: Credential = {
      id: 'x',
      method: 'totp',
      label: '',
      addedAt: 0,
      data: { sealed: 'v1.s.x', lastStep: 0 },
    }
    one.account = { ...one.account, credentials: [...one.account.credentials, broken] }
    await expect(prove(phone.code(one.chance.now()))).rejects.toThrow(SealBroken)
    await expect(prove('nonsense')).rejects.toThrow(SealBroken)
  })

  it('takes a name for it, cut to a line', async () => {
    const one = bench()
    const { keep, phone } = await begin(one)
    const input = { code: phone.code(one.chance.now()), label: ` My\nphone ${'😀'.repeat(100)}` }
    const { credential } = enrolled(await totp.enrol.answer(keep, input, one.turn(totp)))
    expect(credential.label.startsWith('My phone 😀')).toBe(true)
    expect(Array.from(credential.label)).toHaveLength(64)
  })
})

describe('proving an authenticator app', () => {
  it('TO-3: one code proves once, however many judged it at the same time', async () => {
    const { one, phone, prove } = await registered()
    const code = phone.code(one.chance.now())
    const judged = await Promise.all(Array.from({ length: 20 }, () => prove(code)))
    const spent = judged.map((answer) => one.apply(proven(answer).change))
    expect(spent.filter((problem) => problem === undefined)).toHaveLength(1)
    expect(spent.filter((problem) => problem === 'code_used')).toHaveLength(19)
    expect(outcome(await prove(code))).toBe('code_used')
    expect(one.account.credentials[0]?.lastUsedAt).toBe(one.chance.now())
  })

  it('TO-3: after a code of the next step, the present one is used too', async () => {
    const { one, phone, prove } = await registered()
    const now = one.chance.now()
    expect(one.apply(proven(await prove(phone.code(now + STEP))).change)).toBeUndefined()
    expect(outcome(await prove(phone.code(now)))).toBe('code_used')
    expect(outcome(await prove(phone.code(now - STEP)))).toBe('code_used')
  })

  it('TO-9: a clock that steps back does not re-open a used step', async () => {
    const { one, phone, prove } = await registered()
    const code = phone.code(one.chance.now())
    expect(one.apply(proven(await prove(code)).change)).toBeUndefined()
    one.chance.pass(-300_000)
    expect(outcome(await prove(phone.code(one.chance.now())))).toBe('code_used')
    one.chance.pass(300_000 + STEP)
    expect(outcome(await prove(phone.code(one.chance.now())))).toBe('ok')
  })

  it('TO-9: no time in the form is looked at', async () => {
    const { one, phone } = await registered()
    const old = phone.code(one.chance.now() - 10 * STEP)
    const time = String(one.chance.now() - 10 * STEP)
    expect(outcome(await totp.prove.answer(undefined, { code: old, time, step: time }, one.turn(totp)))).toBe(
      'wrong_code',
    )
  })

  it('any of several authenticators will do, and only that one is spent', async () => {
    const { one, id } = await registered()
    const second = await begin(one)
    const code = second.phone.code(one.chance.now())
    const bound = one.bind(enrolled(await totp.enrol.answer(second.keep, { code }, one.turn(totp))))
    one.chance.pass(STEP)
    const before = one.account.credentials.find((credential) => credential.id === id)
    const answer = proven(
      await totp.prove.answer(undefined, { code: second.phone.code(one.chance.now()) }, one.turn(totp)),
    )
    expect(answer.credential).toBe(bound)
    one.apply(answer.change)
    expect(one.account.credentials.find((credential) => credential.id === id)).toEqual(before)
  })

  it('hints at the clock after the third wrong code', async () => {
    const { prove } = await registered()
    let kept: unknown
    const problems: string[] = []
    for (let round = 0; round < 4; round++) {
      const answer = await prove('nonsense', kept)
      problems.push(outcome(answer))
      kept = keepOf(answer)
    }
    expect(problems).toEqual(['wrong_code', 'wrong_code', 'wrong_code_clock', 'wrong_code_clock'])
  })

  it('TO-4: has a budget of 20 in a day and 100 in a row, and then every authenticator is disabled', async () => {
    const { one, phone, prove } = await registered()
    const [limit, ...others] = totp.prove.limits?.(undefined, one.turn(totp)) ?? []
    expect(others).toEqual([])
    expect(limit?.budget.windows).toEqual([{ limit: 20, period: 86_400_000 }])
    expect(limit?.budget.streak?.limit).toBe(100)
    expect(limit?.refused).toBe('too_many_codes')
    const judgedBefore = proven(await prove(phone.code(one.chance.now())))
    one.account = limit?.exhausted?.(one.account) ?? one.account
    expect(one.account.credentials.map(({ disabled }) => disabled)).toEqual([true])
    expect(one.apply(judgedBefore.change)).toBe('account_changed')
    expect(outcome(await prove(phone.code(one.chance.now())))).toBe('wrong_code')
  })

  it('a change finds nothing to spend on an account that lost the authenticator', async () => {
    const { one, phone, prove } = await registered()
    const { change } = proven(await prove(phone.code(one.chance.now())))
    expect(isProblem(change({ ...one.account, credentials: [] }))).toBe(true)
  })
})

describe('importing', () => {
  it('takes a seed of another system, which then proves', async () => {
    const one = bench()
    const credential = totp.importRow?.({ secret: 'jbsw y3dp ehpk 3pxp', label: 'Phone' }, one.turn(totp))
    if (typeof credential !== 'object') throw new Error(credential)
    one.bind({ credential })
    expect(one.account.credentials.map((one) => totp.describe(one))).toEqual(['Phone'])
    const code = codeOf(Buffer.from('48656c6c6f21deadbeef', 'hex'), stepAt(one.chance.now()))
    const answer = proven(await totp.prove.answer(undefined, { code }, one.turn(totp)))
    expect(one.apply(answer.change)).toBeUndefined()
  })

  it.each([
    [undefined, /not base32/],
    ['JBSWY3DPEHPK3PXP', /not base32/],
    [{ secret: 42 }, /not base32/],
    [{ secret: '' }, /not base32/],
    [{ secret: 'JBSWY3DPEHPK3PX8' }, /not base32/],
    [{ secret: 'JBSWY3DP' }, /shorter than 80 bits/],
    [{ secret: 'JBSWY3DP'.repeat(40) }, /longer than 1024 bits/],
  ])('refuses %j without repeating it', (value, sentence) => {
    const answer = totp.importRow?.(value, bench().turn(totp))
    expect(answer).toMatch(sentence)
    expect(answer).not.toContain('JBSW')
  })
})
