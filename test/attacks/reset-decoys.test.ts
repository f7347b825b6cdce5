// The attacker types names: unknown, disabled, unregistered, out of scope or right, every page, status, header and store call
// is the same, nothing that is typed ever matches, and only the owner's mailbox learns what was missing.
import { expect, it } from '@jest/globals'
import type { Account } from '../../src/domain/types.ts'
import { totpCode } from '../authenticator.ts'
import { type Browser, marks, type Response } from '../browser.ts'
import { at } from '../journeys/steps.ts'
import { byApp, byCode, forgot, mailsTo, named, nobody, owner, type Owner, type Who } from '../journeys/owner.ts'
import { eachStore } from '../stores.ts'
import { type Clock, clock, defaultPolicy, type World } from '../world.ts'
import { anyone, arena, someone } from './attacker.ts'
import { hooked } from './hooked.ts'

const policy = { ...defaultPolicy, reset: { ...defaultPolicy.reset, scope: 'selected' as const, groups: ['staff'] } }
const staff = { groups: ['staff'] }

/** It moves only when it is told to, so that pages which name a time can be compared. */
function still(): Clock {
  const moving = clock()
  const since = moving.now()
  let ahead = 0
  return { ...moving, now: () => since + ahead, tick: (by) => void (ahead += by) }
}

type Made = Partial<Account> & { methods?: readonly ('totp' | 'email' | 'recovery-codes')[] }
const kinds: Record<string, Made | undefined> = {
  unknown: undefined,
  known: staff,
  disabled: { ...staff, disabled: true },
  unregistered: { ...staff, methods: [] },
  'registered too little': { ...staff, methods: ['email'] },
  'out of scope': { groups: [] },
  'without an address': { ...staff, emailVerified: false, methods: ['totp', 'recovery-codes'] },
  'to be activated, too late': { ...staff, methods: [], activation: { until: 5 } },
  administrator: { groups: ['staff', 'admins'] },
  frozen: { ...staff, frozen: { at: 5 } },
}

const someoneOf = async (w: World, kind: string): Promise<Who> => {
  const [username, made] = [someone(), kinds[kind]]
  if (!made) return nobody(username)
  const who = await owner(w, username, made)
  if (!made.activation) return who
  const account = await w.account(username)
  const { password: _none, ...bare } = account
  await w.store.accounts.replace({ ...bare, version: account.version + 1 }, account.version)
  return who
}

/** A page without what differs at every visit. */
function shape({ status, html, headers }: Response, typed: string): object {
  const masked = html
    .replace(/name="step" value="[^"]*"/g, 'name="step"')
    .replace(/(class="reference">[^<]*?)[0-9A-Z]{8,}/g, '$1REFERENCE')
    .replaceAll(typed, 'NAME')
    .replace(/\/interaction\/[\w-]+/g, '/interaction/CID')
  return {
    status,
    names: [...headers.keys()].filter((name) => name !== 'date'),
    retry: headers.get('retry-after'),
    length: masked.length,
    cookies: headers.getSetCookie().map((line) => line.split('=')[0]),
    marks: marks(html),
    masked,
  }
}

/** Everything that somebody who knows a name alone can do; six digits and codes that nobody has. */
const wrong = { totp: '000000', mailed: '00000000', recovery: 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA' }
const visits: readonly [string, (w: World, b: Browser, name: string) => Promise<Response>][] = [
  ['the name', (_w, b, name) => named(b, name)],
  ['reload', (_w, b) => b.open(b.now?.url ?? '')],
  ['the app', (_w, b) => b.submit({ method: 'totp' })],
  ['a wrong code', (_w, b) => b.submit({ code: wrong.totp, action: 'continue' })],
  ['no code', (_w, b) => b.submit({ code: '', action: 'continue' })],
  ...Array.from({ length: 10 }, (_, index): (typeof visits)[number] => [
    `wrong code ${index + 2}`,
    (_w, b) => b.submit({ code: wrong.totp, action: 'continue' }),
  ]),
  ['other methods', (_w, b) => b.submit({ action: 'other_method' })],
  ['the recovery codes', (_w, b) => b.submit({ method: 'recovery-codes' })],
  ['a wrong recovery code', (_w, b) => b.submit({ code: wrong.recovery, action: 'continue' })],
  ['half a recovery code', (_w, b) => b.submit({ code: 'AAAA', action: 'continue' })],
  ['the mail', (_w, b) => b.submit({ method: 'email' })],
  ['again at once', (_w, b) => b.submit({ action: 'resend' })],
  ['a wrong mailed code', (_w, b) => b.submit({ code: wrong.mailed, action: 'continue' })],
  [
    'again later',
    (w, b) => {
      w.clock.tick(61_000)
      return b.submit({ action: 'resend' })
    },
  ],
  ...Array.from({ length: 5 }, (_, index): (typeof visits)[number] => [
    `wrong mailed code ${index + 2}`,
    (_w, b) => b.submit({ code: wrong.mailed, action: 'continue' }),
  ]),
  [
    'too late',
    (w, b) => {
      w.clock.tick(600_001)
      return b.submit({ code: wrong.mailed, action: 'continue' })
    },
  ],
  ['a password', (_w, b) => b.submit({ new_password: 'quiet otter lamp', confirm_password: 'quiet otter lamp' })],
  [
    'out of time',
    (w, b) => {
      w.clock.tick(300_000)
      return b.open(b.now?.url ?? '')
    },
  ],
]

eachStore('EM-1: decoys of a reset', (database) => {
  const here = arena(database)

  it('EM-1, EM-4, RS-13, TH-10: every kind of account, to the end of the limits: one answer, for the same store calls', async () => {
    let calls: string[] = []
    const background = /^((mails|logouts)\.(lease|remove|retry|size)|accounts\.withOutbox)$/
    const counted = hooked(here.store(), async (call) => {
      if (!background.test(call)) calls.push(call)
    })
    const w = await here.enter({ policy, clock: still(), store: counted })
    const seen: Record<string, [string, object, number, string][]> = {}
    for (const kind of Object.keys(kinds)) {
      const [who, b] = [await someoneOf(w, kind), anyone(w)]
      await forgot(w, b)
      const walk: (typeof seen)[string] = []
      for (const [title, visit] of visits) {
        calls = []
        const answer = shape(await visit(w, b, who.username), who.username)
        const writes = calls.filter((call) => !/\.(find\w*|query|page)$/.test(call)).toSorted()
        walk.push([title, answer, calls.length, writes.join(' ')])
      }
      seen[kind] = walk
    }
    const { unknown = [], ...others } = seen
    for (const [kind, walk] of Object.entries(others)) {
      for (const [index, visit] of walk.entries()) expect([kind, visit]).toEqual([kind, unknown[index]])
    }
    expect(unknown.map(([, one]) => (one as { status: number }).status)).toEqual(
      expect.arrayContaining([200, 422, 429]),
    )
    expect(unknown.every(([, , count]) => count > 0)).toBe(true)
  })

  it('EM-4, RS-6: the right codes of an account that may not reset match nothing, and are not spent', async () => {
    const w = await here.enter({ policy })
    for (const kind of ['disabled', 'out of scope']) {
      const who = (await someoneOf(w, kind)) as Owner
      const before = await w.account(who.username)
      const b = anyone(w)
      await forgot(w, b)
      await named(b, who.username)
      await byApp(w, b, who)
      expect([kind, at(b)]).toEqual([kind, 'prove totp !wrong_code'])
      await byCode(b, who)
      expect([kind, at(b)]).toEqual([kind, 'prove recovery-codes !wrong_code'])
      await b.submit({ method: 'email' })
      expect(at(b)).toBe('prove email')
      const after = await w.account(who.username)
      expect([after.credentials, after.epoch, after.password]).toEqual([
        before.credentials,
        before.epoch,
        before.password,
      ])
      const mails = await mailsTo(w, `${who.username}@example.org`, 1)
      expect(mails.some(({ text }) => /\b\d{4}\s?\d{4}\b/.test(text))).toBe(false)
    }
  })

  it('EM-4: a registered gate of somebody who registered too little matches nothing either', async () => {
    const w = await here.enter({ policy })
    const who = await owner(w, someone(), { ...staff, methods: ['totp'] })
    const b = anyone(w)
    await forgot(w, b)
    await named(b, who.username)
    await byApp(w, b, who)
    expect(at(b)).toBe('prove totp !wrong_code')
    expect((await w.account(who.username)).spent).toBeUndefined()
  })

  it('the owner is told by mail what was missing, in the language of the account, and nobody else anything', async () => {
    const w = await here.enter({ policy })
    const expected = {
      disabled: 'switched off',
      unregistered: 'than is registered',
      'registered too little': 'than is registered',
      'out of scope': 'not opened',
    }
    for (const [kind, why] of Object.entries(expected)) {
      const [who, b] = [await someoneOf(w, kind), anyone(w)]
      const before = w.outbox.mails().length
      await forgot(w, b)
      await named(b, who.username)
      const [mail] = await mailsTo(w, `${who.username}@example.org`, 1)
      expect([kind, mail?.text.includes(why)]).toEqual([kind, true])
      expect(w.outbox.mails()).toHaveLength(before + 1)
    }
    const german = await owner(w, someone(), { ...staff, methods: [], language: 'zh-TW' })
    const b = anyone(w)
    b.headers['accept-language'] = 'en'
    await forgot(w, b)
    await named(b, german.username)
    const [mail] = await mailsTo(w, `${german.username}@example.org`, 1)
    expect(mail?.text).toMatch(/[一-鿿]/)
    // Nobody's name, and an address that nobody vouches for: no mail at all.
    const before = w.outbox.mails().length
    for (const kind of ['unknown', 'without an address']) {
      const [who, c] = [await someoneOf(w, kind), anyone(w)]
      await forgot(w, c)
      await named(c, who.username)
      await c.submit({ method: 'email' })
      await c.submit({ code: totpCode(who.secret, w.clock.now()), action: 'continue' })
    }
    await new Promise((done) => setTimeout(done, 50))
    expect(w.outbox.mails()).toHaveLength(before)
  })
})
