// The contract of values: both databases keep the same text, and take nothing but text for a key.
import { describe, expect, it } from '@jest/globals'
import type { Store } from '../../../src/domain/ports.ts'
import { aFlow, aMail, anAccount, anEvent, aRow, fresh, type Pair } from './samples.ts'

/** What comes back is what JSON and UTF-8 can hold: a lone surrogate has no UTF-8 form and becomes U+FFFD. */
const strings: Record<string, string> = {
  empty: '',
  'a NUL': 'a\0b',
  dollars: '$where',
  dots: 'a.b..c.',
  quotes: `'"\`; DROP TABLE accounts; --`,
  backslashes: '\\ud800 \\\\ud800 \\',
  'line ends': '\r\n\u{2028}',
  'right to left': '\u{202e}abc',
  'not normalised': 'A\u{30a} \u{e5}',
  'beyond the BMP': '\u{1f600}\u{10ffff}',
  'a lone high surrogate': 'a\ud800',
  'a lone low surrogate': '\udc00b',
  'several lone ones': '\ud800\ud800\udc00\udc00\\\ud83d',
  long: 'x'.repeat(20_000),
  proto: '__proto__',
}

/** As it comes from a request's JSON: own properties, whatever their names. */
const open = (text: string): Record<string, unknown> =>
  JSON.parse(
    JSON.stringify({ $set: { $gt: text }, 'a.b': [text], '': {}, _bsontype: 'ObjectId', 'n\0ul': text }).replace(
      '{',
      '{"__proto__":{"polluted":true},"constructor":null,',
    ),
  ) as Record<string, unknown>

const wellFormed = (value: unknown): string =>
  JSON.stringify(value).replaceAll(/"(?:[^"\\]|\\.)*"/g, (text) =>
    JSON.stringify((JSON.parse(text) as string).toWellFormed()),
  )

/** Everything that takes a key. */
const byKey: Record<string, (store: Store, key: string) => Promise<unknown>> = {
  'accounts.find': (store, key) => store.accounts.find(key),
  'accounts.findByUsernameKey': (store, key) => store.accounts.findByUsernameKey(key),
  'accounts.insert': (store, key) => store.accounts.insert(anAccount(key, { usernameKey: 'x' })),
  'accounts.insert by name': (store, key) => store.accounts.insert(anAccount(fresh('x'), { usernameKey: key })),
  'accounts.replace': (store, key) => store.accounts.replace(anAccount(key), 1),
  'flows.find': (store, key) => store.flows.find(key),
  'flows.save': (store, key) => store.flows.save(aFlow(key), 0),
  'flows.remove': (store, key) => store.flows.remove(key),
  'budgets.admit': (store, key) => store.budgets.admit(key, {}, 1, 'hit'),
  'budgets.admit a hit': (store, key) => store.budgets.admit('x', {}, 1, key),
  'budgets.refund': (store, key) => store.budgets.refund(key, 'hit'),
  'budgets.refund a hit': (store, key) => store.budgets.refund('x', key),
  'budgets.settle': (store, key) => store.budgets.settle(key, 'hit'),
  'budgets.clear': (store, key) => store.budgets.clear(key),
  'claims.claim': (store, key) => store.claims.claim(key, 'x'),
  'claims.claim a value': (store, key) => store.claims.claim(fresh('x'), key),
  'claims.find': (store, key) => store.claims.find(key),
  'claims.swap': (store, key) => store.claims.swap(key, 'a', 'b'),
  'claims.swap from': (store, key) => store.claims.swap('x', key, 'b'),
  'audit.append': (store, key) => store.audit.append([anEvent(key)]),
  'mails.put': (store, key) => store.mails.put(aMail(key)),
  'mails.remove': (store, key) => store.mails.remove(key),
  'mails.retry': (store, key) => store.mails.retry(key, 1),
  'logouts.put': (store, key) => store.logouts.put(aMail(key)),
  'logouts.remove': (store, key) => store.logouts.remove(key),
  'logouts.retry': (store, key) => store.logouts.retry(key, 1),
  'rows.upsert': (store, key) => store.rows.upsert('Session', key, aRow(), 1),
  'rows.upsert a uid': (store, key) =>
    store.rows.upsert('Session', fresh('x'), aRow({ uid: key ?? (null as never) }), 1),
  'rows.find': (store, key) => store.rows.find('Session', key),
  'rows.find a model': (store, key) => store.rows.find(key, 'x'),
  'rows.findBy': (store, key) => store.rows.findBy('Session', 'uid', key),
  'rows.consume': (store, key) => store.rows.consume('Session', key, 1),
  'rows.destroy': (store, key) => store.rows.destroy('Session', key),
  'rows.revokeByGrantId': (store, key) => store.rows.revokeByGrantId(key),
  'rows.older': (store, key) => store.rows.older('Session', key, 1),
  'rows.older of a model': (store, key) => store.rows.older(key, 'x', 1),
  'rows.removeOlder': (store, key) => store.rows.removeOlder(key, 1),
}

export function values(at: Pair): void {
  it.each(Object.entries(strings))('keeps text and open values: %s', async (_, text) => {
    const id = fresh('value')
    const account = anAccount(id, {
      name: text,
      groups: [text],
      credentials: [{ id: text, method: 'm', label: text, addedAt: 1, data: open(text) }],
      outbox: [anEvent(fresh('e'), { reason: text, detail: open(text) })],
    })
    await at.one.accounts.insert(account)
    const found = await at.two.accounts.find(id)
    expect(JSON.parse(JSON.stringify(found))).toEqual(JSON.parse(wellFormed(account)))
    expect(JSON.stringify(found?.credentials[0]?.data)).toBe(wellFormed(open(text)))
    const event = anEvent(fresh('e'), { accountId: id, browser: text, detail: open(text) })
    await at.one.audit.append([event])
    const [audited] = await at.two.audit.query({ accountId: id }, 1)
    expect(JSON.stringify(audited?.detail)).toBe(wellFormed(open(text)))
    expect(audited?.browser).toBe(text.toWellFormed())
    await at.one.rows.upsert('Interaction', id, { payload: open(text) }, 1)
    expect(JSON.stringify((await at.two.rows.find('Interaction', id))?.payload)).toBe(wellFormed(open(text)))
    expect(await at.one.claims.claim(id, text)).toBe(text.toWellFormed())
    expect(await at.two.claims.find(id)).toBe(text.toWellFormed())
  })

  it.each(Object.entries(strings))('takes it for a key: %s', async (_, text) => {
    const key = `${fresh('key')}${text}`
    expect(await at.one.accounts.insert(anAccount(key))).toBe(true)
    expect(await at.two.accounts.insert(anAccount(key))).toBe(false)
    expect(await at.two.accounts.findByUsernameKey(key)).toMatchObject({ id: key.toWellFormed() })
    expect(await at.two.accounts.replace(anAccount(key, { version: 2 }), 1)).toBe(true)
    expect(await at.one.accounts.find(key)).toMatchObject({ version: 2 })
    expect(await at.one.accounts.find(`${key}\0`)).toBeUndefined()
    expect(await at.one.budgets.admit(key, { windows: [{ limit: 1, period: 9 }] }, 1, text)).toMatchObject({ inRow: 1 })
    expect(await at.two.budgets.admit(key, { windows: [{ limit: 1, period: 9 }] }, 1, 'x')).toMatchObject({
      why: 'window',
    })
    await at.two.budgets.refund(key, text)
    expect(await at.two.budgets.admit(key, { windows: [{ limit: 1, period: 9 }] }, 1, 'x')).toMatchObject({ inRow: 1 })
    await at.one.rows.upsert('Session', key, aRow({ uid: key, accountId: key }), 1)
    expect(await at.two.rows.consume('Session', key, 1)).toBe(true)
    expect(await at.two.rows.findBy('Session', 'uid', key)).toMatchObject({ uid: key.toWellFormed() })
    expect(await at.two.rows.removeOlder(key, 1)).toBe(1)
  })

  describe('WB-9: a key that is no string is refused by every verb', () => {
    it.each(Object.entries(byKey))('%s', async (_, call) => {
      const shapes: unknown[] = [
        { $ne: null },
        { $gt: '' },
        ['a'],
        1,
        null,
        undefined,
        true,
        Buffer.from('a'),
        new Date(0),
      ]
      for (const shape of shapes) await expect(call(at.one, shape as string)).rejects.toThrow(TypeError)
    })
  })
}
