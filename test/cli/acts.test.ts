// What administrators do to one account, on both stores: one act, one event, seen at once, and what was signed in is over.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { erase } from '../../src/admin/delete.ts'
import { accountsOver } from '../../src/domain/accounts.ts'
import { budgets } from '../../src/domain/budget.ts'
import { usernameKey } from '../../src/domain/codes.ts'
import { loadKeys } from '../../src/domain/keys.ts'
import { open } from '../../src/domain/seal.ts'
import type { Account } from '../../src/domain/types.ts'
import { testChance } from '../domain/chance.ts'
import { eachStore } from '../stores.ts'
import { clock, world } from '../world.ts'
import { type Office, office, root } from './office.ts'

const NOBODY: Partial<Account> = { credentials: [] }

eachStore('an administrator', (database) => {
  let at: Office
  beforeAll(async () => {
    at = await office(await database())
  })
  afterAll(() => at.close())

  const row = (accountId: string, stamp: number) =>
    at.store.rows.upsert('Session', `session-${accountId}`, { payload: {}, accountId, stamp }, undefined)

  /** What waits for a server, which alone can tell relying parties, and tidies the rows. */
  const waiting = new Set<string>()
  async function endedBelow(accountId: string, epoch: number): Promise<boolean> {
    for (;;) {
      const job = await at.store.logouts.lease(Date.now(), Date.now() + 3_600_000)
      if (!job) break
      waiting.add(job.id)
    }
    expect(await at.store.rows.find('Session', `session-${accountId}`)).toBeDefined()
    return waiting.has(`ended.${epoch}.${accountId}`)
  }

  const acts: [string, string[], string, Partial<Account>, boolean][] = [
    ['disable', [], 'account.disabled', {}, true],
    ['enable', [], 'account.enabled', { disabled: true }, false],
    ['unlock', [], 'account.unlocked', {}, false],
    ['require-change', [], 'password.flagged', {}, true],
    ['require-registration', ['--yes'], 'registration.required', {}, true],
    ['revoke-sessions', [], 'account.signed-out', {}, true],
    ['invite', [], 'account.invited', NOBODY, true],
    ['update', ['--name', 'New Name'], 'account.updated', {}, false],
    ['delete', ['--yes'], 'account.deleted', {}, true],
  ]

  it.each(acts)('LG-2: users %s is one event, in the trail at once', async (act, options, kind, more, epoch) => {
    const account = await at.hire(`one-${act}`, more)
    await row(account.id, account.epoch)
    const { code, out, err } = await at.cli('users', act, account.username, ...options)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain(`one-${act} `)
    expect(await at.trail(account.id)).toEqual([
      expect.objectContaining({ kind, actor: 'cli:root', outcome: 'success' }),
    ])
    expect(await endedBelow(account.id, account.epoch + 1)).toBe(epoch)
    const after = await at.store.accounts.find(account.id)
    if (act !== 'delete') expect(after?.epoch).toBe(account.epoch + (epoch ? 1 : 0))
  })

  it.each(acts)('users %s: an unknown user is told in one sentence', async (act, options) => {
    const { code, out, err } = await at.cli('users', act, 'no\u001b[1mbody', ...options)
    expect({ code, out, err }).toEqual({ code: 1, out: '', err: 'There is no account "no\\u001b[1mbody".' })
  })

  it('LG-2, DB-1: of many at once one disables, and one event tells so', async () => {
    const account = await at.hire('busy')
    const all = await Promise.all(Array.from({ length: 5 }, () => at.cli('users', 'disable', 'busy')))
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
    expect(all.filter(({ out }) => out.includes('nothing was changed'))).toHaveLength(4)
    expect(await at.trail(account.id)).toHaveLength(1)
    expect(await at.store.accounts.find(account.id)).toMatchObject({ disabled: true, epoch: 2 })
  })

  it('what was dead already is told by the next run, when the one before died first', async () => {
    const account = await at.hire('half', { disabled: true, epoch: 2 })
    await row(account.id, 1)
    expect((await at.cli('users', 'disable', 'half')).out).toBe('half is disabled already: nothing was changed.')
    expect(await endedBelow(account.id, 2)).toBe(true)
  })

  it('unlock ends the waits of every browser, and tells of a freeze that stays', async () => {
    const account = await at.hire('locked', { frozen: { at: 0 } })
    const keys = [`password:${account.id}`, `password:${account.id}:b1`]
    const guess = (key: string, hit: string) => at.store.budgets.admit(key, budgets.passwordKnownBrowser, 1, hit)
    for (const key of keys) for (let hit = 0; hit < 10; hit++) await guess(key, `${hit}`)
    expect(await Promise.all(keys.map((key) => guess(key, 'a')))).toMatchObject([
      { admitted: false },
      { admitted: false },
    ])
    const { out } = await at.cli('users', 'unlock', 'locked')
    expect(out).toContain('frozen since 1970-01-01T00:00:00.000Z')
    expect(await Promise.all(keys.map((key) => guess(key, 'a')))).toMatchObject([
      { admitted: true },
      { admitted: true },
    ])
    expect(await at.store.accounts.find(account.id)).toHaveProperty('frozen')
    await at.cli('users', 'unlock', 'locked', '--thaw')
    expect(await at.store.accounts.find(account.id)).not.toHaveProperty('frozen')
  })

  it('require-registration asks twice', async () => {
    const account = await at.hire('careful')
    const { code, err } = await at.cli('users', 'require-registration', 'careful')
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^This removes .* Add --yes to do it\.$/) })
    expect(await at.store.accounts.find(account.id)).toEqual(account)
  })

  describe('invite', () => {
    it('queues one sealed mail with a link that proves nothing', async () => {
      const account = await at.hire('guest', { ...NOBODY, language: 'zh-TW' })
      for (;;) {
        const old = await at.store.mails.lease(Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER - 1)
        if (!old) break
        await at.store.mails.remove(old.id)
      }
      const { code, out } = await at.cli('users', 'invite', 'guest')
      expect(code).toBe(0)
      expect(out).toContain('while none runs, it waits')
      expect(await at.store.mails.size()).toBe(1)
      const job = await at.store.mails.lease(Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER)
      const keys = await loadKeys(at.store.claims, [root], testChance())
      const mail = JSON.parse(open(keys.seal, job?.sealed ?? '', ['mail', job?.id ?? '']))
      expect(mail.to).toBe('guest@example.org')
      expect(mail.text.match(/https?:\/\/\S+/g)).toEqual(['https://login.example.org/id/forgot-password'])
      expect(mail.text).toContain('30')
      expect(mail.text).toMatch(/\p{Script=Han}/u)
      const after = await at.store.accounts.find(account.id)
      expect(after).not.toHaveProperty('password')
      expect(after?.activation?.until).toBe(job?.expiresAt)
      await at.store.mails.remove(job?.id ?? '')
    })

    it.each<[string, Partial<Account>, string]>([
      ['factor', {}, 'has a second factor'],
      ['admin', { ...NOBODY, groups: ['admins'] }, 'also need an access pass, which comes later'],
    ])('changes and mails nothing where it is refused: %s', async (name, more, why) => {
      const account = await at.hire(`refused-${name}`, more)
      const { code, err } = await at.cli('users', 'invite', account.username)
      expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(why) })
      expect(await at.store.accounts.find(account.id)).toEqual(account)
      expect(await at.store.mails.size()).toBe(0)
      expect(await at.trail(account.id)).toEqual([])
    })
  })

  describe('update', () => {
    it('RS-17: the address that was there before hears of it too, once, and alone may deny it', async () => {
      const account = await at.hire('moves')
      expect((await at.cli('users', 'update', 'moves', '--email', 'new@moves.example', '--verified')).code).toBe(0)
      const time = clock()
      time.tick(11_000)
      // Two servers come up one after the other; each would tell what it finds untold.
      const mails: { to: string; text: string }[] = []
      for (const _ of [1, 2]) {
        const w = await world({ store: at.store, keys: [root], clock: time })
        for (let tries = 0; tries < 1000; tries++) {
          const { outbox = [] } = (await at.store.accounts.find(account.id)) ?? {}
          if (outbox.length === 0 && (await at.store.mails.size()) === 0) break
          await new Promise((done) => setTimeout(done, 5))
        }
        await w.close()
        mails.push(...w.outbox.mails().filter(({ to }) => /moves/.test(to)))
      }
      expect(mails.map(({ to }) => to).sort()).toEqual(['moves@example.org', 'new@moves.example'])
      const deniable = mails.filter(({ text }) => text.includes('/not-me/')).map(({ to }) => to)
      expect(deniable).toEqual(['moves@example.org'])
    })

    it('never takes the name of another account', async () => {
      const [first] = [await at.hire('first'), await at.hire('second')]
      const { code, err } = await at.cli('users', 'update', 'first', '--username', 'SECOND')
      expect({ code, err }).toEqual({ code: 1, err: 'Not changed: there is already an account "SECOND".' })
      expect(await at.store.accounts.find(first.id)).toEqual(first)
      expect((await at.cli('users', 'update', 'first', '--username', 'First')).code).toBe(0)
      expect(await at.store.accounts.find(first.id)).toMatchObject({ username: 'First', usernameKey: 'first' })
    })

    it.each([
      [['--email', 'no address'], 1, 'email is no mail address'],
      [['--group', ' '], 1, 'groups must be a list'],
      [['--username', ' '], 1, 'username is missing'],
      [[], 2, 'There is nothing to change.'],
    ])('refuses %j', async (options, code, why) => {
      expect(await at.cli('users', 'update', 'first', ...options)).toMatchObject({
        code,
        err: expect.stringContaining(why),
      })
    })
  })

  describe('delete', () => {
    it('asks twice; nothing of it reaches an account of the same name', async () => {
      const account = await at.hire('Gone')
      await row(account.id, account.epoch)
      expect(await at.cli('users', 'delete', 'gone')).toMatchObject({
        code: 1,
        err: `This deletes Gone (${account.id}) with everything registered. Add --yes to do it.`,
      })
      expect(await at.store.accounts.find(account.id)).toEqual(account)
      expect((await at.cli('users', 'delete', 'gone', '--yes')).code).toBe(0)
      expect(await at.store.accounts.find(account.id)).toBeUndefined()
      expect(await endedBelow(account.id, account.epoch + 1)).toBe(true)
      await at.cli('users', 'add', '--username', 'gone', '--email', 'other@example.org')
      const next = await at.store.accounts.findByUsernameKey('gone')
      expect(next?.id).not.toBe(account.id)
      expect(next).toMatchObject({ epoch: 1, credentials: [], browsers: [], email: 'other@example.org' })
      expect(await at.trail(account.id)).toMatchObject([{ kind: 'account.deleted', detail: { username: 'Gone' } }])
      expect(await at.trail(next?.id ?? '')).toMatchObject([{ kind: 'account.added' }])
    })

    it('LG-3: a run that died half way left nothing that works; the id finishes it, with the same one event', async () => {
      const account = await at.hire('Torn')
      const chance = testChance()
      const accounts = accountsOver({ store: at.store.accounts, usernameKey, chance, committed: () => undefined })
      const acting = { actor: 'cli:root', at: 1, id: () => 'torn-event' }
      await accounts.change(account, (fresh) => erase(acting)(fresh) as { account: Account; events: [] })
      expect((await at.cli('users', 'delete', 'torn', '--yes')).err).toBe('There is no account "torn".')
      for (const act of ['enable', 'unlock', 'update'])
        expect(await at.cli('users', act, account.id, ...(act === 'update' ? ['--name', 'x'] : []))).toMatchObject({
          code: 1,
        })
      expect((await at.cli('users', 'delete', account.id, '--yes')).code).toBe(0)
      expect(await at.store.accounts.find(account.id)).toBeUndefined()
      expect(await at.trail(account.id)).toMatchObject([{ id: 'torn-event', kind: 'account.deleted' }])
    })

    it('LG-2: several at once delete it once', async () => {
      const account = await at.hire('contested')
      const all = await Promise.all(Array.from({ length: 4 }, () => at.cli('users', 'delete', 'contested', '--yes')))
      expect(all.some(({ code }) => code === 0)).toBe(true)
      expect(await at.trail(account.id)).toHaveLength(1)
      expect(await at.store.accounts.find(account.id)).toBeUndefined()
    })
  })
})
