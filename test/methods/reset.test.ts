// Every method as a gate of a reset: a name that leads nowhere looks like one that leads somewhere, and never proves anything.
import { describe, expect, it } from '@jest/globals'
import { budgets } from '../../src/domain/budget.ts'
import type { Credential } from '../../src/domain/types.ts'
import type { Limit, Method, Vault } from '../../src/methods/method.ts'
import { createMethods } from '../../src/methods/index.ts'
import { codeOf, fromBase32, stepAt } from '../../src/methods/totp/oath.ts'
import { type Bench, begun, bench, enrolled, outcome, proven } from './turn.ts'

const methods = createMethods()
const methodOf = (id: string): Method => {
  const found = methods.find((method) => method.id === id)
  if (!found) throw new Error(`no method ${id}`)
  return found
}
const totp = methodOf('totp')
const email = methodOf('email')
const recoveryCodes = methodOf('recovery-codes')

const held = (one: Bench, ...credentials: Credential[]): Bench => {
  one.account = { ...one.account, credentials }
  return one
}
const decoyOf = (one: Bench, method: Method) => method.decoy(one.turn(method))
const gate = (one: Bench, method: Method) => one.turn(method, 'flow-1', 'recovery')
const plain = (credential: Credential) => JSON.parse(JSON.stringify(credential)) as Credential

/** Something real of each method, and what proves it. */
async function registered(method: Method, one = bench()): Promise<{ one: Bench; right: () => Promise<string> }> {
  if (method === email) {
    const data = { address: 'bound@example.org' }
    return { one: held(one, { id: 'a1', method: 'email', label: '', addedAt: 0, data }), right: async () => '' }
  }
  const { keep } = await begun(method.enrol, one.turn(method))
  const model = JSON.parse(JSON.stringify(method.enrol.view(keep, one.turn(method)))) as {
    secret: string
    codes: string[]
  }
  const now = (): string => codeOf(fromBase32(model.secret) ?? Buffer.alloc(0), stepAt(one.chance.now()))
  const input = method === totp ? { code: now() } : { acknowledged: 'yes' }
  one.bind(enrolled(await method.enrol.answer(keep, input, one.turn(method))))
  one.chance.pass(30_000)
  return { one, right: async () => (method === totp ? now() : (model.codes[0] ?? '')) }
}

/** A vault that counts what it is asked: work that a stopwatch could see. */
function counting(vault: Vault) {
  const asked = { open: 0, matches: 0 }
  const counted: Vault = {
    ...vault,
    open: (sealed, field) => (asked.open++, vault.open(sealed, field)),
    matches: (text, digest, field) => (asked.matches++, vault.matches(text, digest, field)),
  }
  return { asked, counted }
}

describe.each(methods.map((method) => [method.id, method] as const))('%s', (_id, method) => {
  it('EM-1: a decoy has the shape of a real one', async () => {
    const { one } = await registered(method)
    const [real] = one.account.credentials
    const decoy = plain(decoyOf(one, method))
    expect(decoy.method).toBe(method.id)
    expect(decoy.id).toBe(`decoy:${method.id}`)
    const shape = (value: unknown): unknown =>
      typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shape(part)]))
        : typeof value
    expect(shape(decoy)).toEqual(shape({ ...plain(real as Credential) }))
  })

  it('EM-1, EM-6: the page tells nothing of the account, and is the same for a decoy', async () => {
    const { one } = await registered(method)
    const other = held(bench('nobody', one.chance))
    held(other, decoyOf(other, method))
    const pages = await Promise.all(
      [one, other].map(async (who) => {
        const turn = gate(who, method)
        const keep = method.prove.begin ? (await begun(method.prove, turn)).keep : undefined
        return method.prove.view(keep, turn)
      }),
    )
    expect(pages[0]).toEqual(pages[1])
    expect(JSON.stringify(pages[0])).not.toMatch(/@|bound|label|left|alice/)
  })

  it('EM-4: what is wrong is the same, in the same order, for a decoy, for no credential and for a real one', async () => {
    const { one } = await registered(method)
    const made = bench('nobody', one.chance)
    held(made, decoyOf(made, method))
    const bare = bench('bare', one.chance)
    const walks = [one, made, bare].map(async (who) => {
      const turn = gate(who, method)
      let keep: unknown = method.prove.begin ? (await begun(method.prove, turn)).keep : undefined
      const heard: string[] = []
      for (const code of [
        '',
        ' ',
        'x',
        '000000',
        '00000000',
        '0000-0000-0000-0000-0000-0000',
        '123456',
        '1'.repeat(99),
      ]) {
        const answer = await method.prove.answer(keep, { code }, turn)
        heard.push(outcome(answer))
        if ('keep' in answer && answer.keep !== undefined) keep = answer.keep
      }
      return heard
    })
    const [real, decoy, none] = await Promise.all(walks)
    expect(decoy).toEqual(real)
    expect(none).toEqual(real)
    expect(new Set(real)).not.toContain('ok')
  })

  it('RS-13: budgets are those of a name alone, and none of them is one of sign-in', async () => {
    const { one } = await registered(method)
    const limits = async (purpose: 'second-factor' | 'recovery'): Promise<readonly Limit[]> => {
      const turn = one.turn(method, 'flow-1', purpose)
      const keep = method.prove.begin ? (await begun(method.prove, turn)).keep : undefined
      return method.prove.limits?.(keep, turn) ?? []
    }
    const [ordinary, reset] = [await limits('second-factor'), await limits('recovery')]
    expect(reset.length).toBeGreaterThan(0)
    for (const limit of reset) {
      expect(limit.key).toMatch(/^reset-/)
      expect(limit.refused).toBe('too_many_codes')
      expect(limit.exhausted).toBeUndefined()
    }
    const keys = new Set(ordinary.map(({ key }) => key))
    expect(reset.filter(({ key }) => keys.has(key))).toEqual([])
  })
})

describe('decoys', () => {
  it('EM-1: are the same each time for one account, and another for each account', () => {
    const secrets = ['nobody', 'nobody', 'somebody'].map((id) => {
      const one = bench(id)
      const { data, id: credential } = plain(decoyOf(one, totp))
      return one.turn(totp).vault.open((data as { sealed: string }).sealed, `totp:${credential}`)
    })
    expect(secrets[0]).toMatch(/^[A-Z2-7]{32}$/)
    expect(secrets[1]).toBe(secrets[0])
    expect(secrets[2]).not.toBe(secrets[0])
    const sets = ['nobody', 'nobody', 'somebody'].map((id) => plain(decoyOf(bench(id), recoveryCodes)).data)
    expect(sets[1]).toEqual(sets[0])
    expect(sets[2]).not.toEqual(sets[0])
    expect(new Set((sets[0] as { codes: { digest: string }[] }).codes.map(({ digest }) => digest)).size).toBe(10)
  })

  it('RS-9: no authenticator code proves one, not even its own', async () => {
    const one = bench('nobody')
    const decoy = plain(decoyOf(one, totp))
    held(one, decoy)
    const secret = fromBase32(one.turn(totp).vault.open((decoy.data as { sealed: string }).sealed, `totp:${decoy.id}`))
    const code = codeOf(secret ?? Buffer.alloc(0), stepAt(one.chance.now()))
    expect(outcome(await totp.prove.answer(undefined, { code }, gate(one, totp)))).toBe('wrong_code')
    expect(outcome(await totp.prove.answer(undefined, { code }, one.turn(totp)))).toBe('code_used')
  })

  it('RS-9: the code of a letter to nobody proves nothing', async () => {
    const one = bench('nobody')
    held(one, decoyOf(one, email))
    const { keep, send, code } = await begun(email.prove, gate(one, email))
    expect(send).toMatchObject({ to: '', template: 'code', values: { purpose: 'reset', minutes: 10 } })
    expect(code).toMatch(/^\d{8}$/)
    expect(outcome(await email.prove.answer(keep, { code }, gate(one, email)))).toBe('wrong_code')
  })

  it('EM-4: cost as many openings and comparisons as real ones, however many there are', async () => {
    const counts = async (method: Method, one: Bench, code: string) => {
      const turn = gate(one, method)
      const { asked, counted } = counting(turn.vault)
      await method.prove.answer(undefined, { code }, { ...turn, vault: counted })
      return asked
    }
    for (const [method, code] of [
      [totp, '000000'],
      [totp, 'x'],
      [recoveryCodes, 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA'],
    ] as const) {
      const { one } = await registered(method)
      const two = (await registered(method, (await registered(method)).one)).one
      const made = bench('nobody')
      held(made, decoyOf(made, method))
      const expected = await counts(method, one, code)
      expect(expected).toEqual(method === totp ? { open: 5, matches: 0 } : { open: 0, matches: 10 })
      expect(await counts(method, made, code)).toEqual(expected)
      expect(await counts(method, bench('bare'), code)).toEqual(expected)
      if (method === totp) expect(await counts(method, two, code)).toEqual(expected)
    }
  })
})

describe('real credentials as gates', () => {
  it.each([
    ['totp', totp],
    ['recovery-codes', recoveryCodes],
  ] as const)('RS-13: %s proves once, and a used code is only wrong', async (_id, method) => {
    const { one, right } = await registered(method)
    const code = await right()
    const { change, credential } = proven(await method.prove.answer(undefined, { code }, gate(one, method)))
    expect(credential).toBe(one.account.credentials[0]?.id)
    expect(one.apply(change)).toBeUndefined()
    expect(outcome(await method.prove.answer(undefined, { code }, gate(one, method)))).toBe('wrong_code')
    expect(outcome(await method.prove.answer(undefined, { code }, one.turn(method)))).toBe('code_used')
  })

  it('RS-9: a code mailed for a reset is none for another proof, and the other way round', async () => {
    const { one } = await registered(email)
    for (const [asked, typed] of [
      [gate(one, email), one.turn(email)],
      [one.turn(email), gate(one, email)],
    ] as const) {
      const { keep, code } = await begun(email.prove, asked)
      expect(outcome(await email.prove.answer(keep, { code }, typed))).toBe('wrong_code')
      expect(outcome(await email.prove.answer(keep, { code }, asked))).toBe('ok')
    }
  })

  it('RS-10: an address on file that the runner hands over is mailed to, and proves', async () => {
    const one = bench()
    const onFile: Credential = {
      id: 'on-file',
      method: 'email',
      label: '',
      addedAt: 0,
      data: { address: 'alice@example.org' },
    }
    const turn = { ...gate(one, email), credentials: [onFile] }
    const { keep, send, code } = await begun(email.prove, turn)
    expect(send?.to).toBe('alice@example.org')
    expect(proven(await email.prove.answer(keep, { code }, turn))).toMatchObject({
      credential: 'on-file',
      destination: 'alice@example.org',
    })
  })

  it('TH-3: ten wrong authenticator codes in any day, nothing in a row, nothing disabled', () => {
    expect(budgets.authenticatorCodeInReset).toEqual({ windows: [{ limit: 10, period: 86_400_000 }] })
    const [limit] = totp.prove.limits?.(undefined, gate(bench(), totp)) ?? []
    expect(limit).toEqual({ key: 'reset-totp', budget: budgets.authenticatorCodeInReset, refused: 'too_many_codes' })
  })
})
