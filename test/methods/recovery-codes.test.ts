import { describe, expect, it } from '@jest/globals'
import { recoveryCodes } from '../../src/methods/recovery-codes/index.ts'
import { begun, bench, enrolled, outcome, proven } from './turn.ts'

const { enrol, prove } = recoveryCodes

/** What the page shows, as the template sees it. */
const shown = (model: object): { codes: string[]; date: string } => JSON.parse(JSON.stringify(model))

async function registered(one = bench()) {
  const { keep } = await begun(enrol, one.turn(recoveryCodes))
  const { codes } = shown(enrol.view(keep, one.turn(recoveryCodes)))
  one.bind(enrolled(await enrol.answer(keep, { acknowledged: 'yes' }, one.turn(recoveryCodes))))
  return { one, codes, prove: (code: string) => prove.answer(undefined, { code }, one.turn(recoveryCodes)) }
}

describe('recovery codes', () => {
  it('RC-1: ten different ones, with the day they were made', async () => {
    const one = bench()
    const { keep } = await begun(enrol, one.turn(recoveryCodes))
    const model = shown(enrol.view(keep, one.turn(recoveryCodes)))
    expect(new Set(model.codes).size).toBe(10)
    for (const code of model.codes) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/)
    expect(model.date).toBe('2026-11-01')
  })

  it('RC-5: count only when they were acknowledged, and are then the ones that were shown', async () => {
    const one = bench()
    const { keep } = await begun(enrol, one.turn(recoveryCodes))
    for (const input of [{}, { acknowledged: '' }, { acknowledged: 'no' }]) {
      expect(outcome(await enrol.answer(keep, input, one.turn(recoveryCodes)))).toBe('not_acknowledged')
    }
    const again = await begun(enrol, one.turn(recoveryCodes), keep)
    expect(again.keep).toEqual(keep)
  })

  it('RC-2: are kept as keyed digests, bound to the account', async () => {
    const { one, codes } = await registered()
    const dump = JSON.stringify(one.account)
    for (const code of codes) {
      expect(dump).not.toContain(code)
      expect(dump).not.toContain(code.replaceAll('-', ''))
    }
    const bob = bench('bob', one.chance)
    bob.account = { ...bob.account, credentials: one.account.credentials }
    const stolen = await prove.answer(undefined, { code: codes[0] ?? '' }, bob.turn(recoveryCodes))
    expect(outcome(stolen)).toBe('wrong_code')
  })

  it('RC-1: prove however they are typed', async () => {
    const { codes, prove } = await registered()
    const [code = ''] = codes
    for (const typed of [code, code.toLowerCase(), code.replaceAll('-', ''), ` ${code.replaceAll('-', ' ')} `]) {
      expect(outcome(await prove(typed))).toBe('ok')
    }
  })

  it('RC-3: each works once, however many judged it at the same time, and the others stay', async () => {
    const { one, codes, prove } = await registered()
    const [first = '', second = ''] = codes
    const judged = await Promise.all(Array.from({ length: 20 }, () => prove(first)))
    const spent = judged.map((answer) => one.apply(proven(answer).change))
    expect(spent.filter((problem) => problem === undefined)).toHaveLength(1)
    expect(spent.filter((problem) => problem === 'code_used')).toHaveLength(19)
    expect(outcome(await prove(first))).toBe('code_used')
    expect(recoveryCodes.prove.view(undefined, one.turn(recoveryCodes))).toEqual({ left: 9 })
    expect(one.apply(proven(await prove(second)).change)).toBeUndefined()
    expect(recoveryCodes.prove.view(undefined, one.turn(recoveryCodes))).toEqual({ left: 8 })
  })

  it('RC-3: two different codes judged at the same time are both spent', async () => {
    const { one, codes, prove } = await registered()
    const [first, second] = await Promise.all([prove(codes[0] ?? ''), prove(codes[1] ?? '')])
    expect(one.apply(proven(first).change)).toBeUndefined()
    expect(one.apply(proven(second).change)).toBeUndefined()
    expect(recoveryCodes.prove.view(undefined, one.turn(recoveryCodes))).toEqual({ left: 8 })
  })

  it('refuse what is none of them', async () => {
    const { codes, prove } = await registered()
    const strangers = (await registered()).codes
    expect(outcome(await prove(''))).toBe('code_missing')
    for (const typed of [strangers[0] ?? '', (codes[0] ?? '').slice(1), 'x', '0'.repeat(10_000), `${codes[0]}0`]) {
      expect(outcome(await prove(typed))).toBe('wrong_code')
    }
  })

  it('RC-5: a set that was replaced meanwhile spends nothing', async () => {
    const { one, codes, prove } = await registered()
    const { change } = proven(await prove(codes[0] ?? ''))
    one.account = { ...one.account, credentials: [] }
    await registered(one)
    expect(one.apply(change)).toBe('account_changed')
  })

  it('RC-8: have a budget of ten wrong ones an hour', () => {
    const [limit] = prove.limits?.(undefined, bench().turn(recoveryCodes)) ?? []
    expect(limit).toMatchObject({ key: 'recovery', refused: 'too_many_codes' })
    expect(limit?.budget.windows).toEqual([{ limit: 10, period: 3_600_000 }])
  })
})
