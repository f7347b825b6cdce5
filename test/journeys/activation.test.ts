// An account without a password: its owner sets the first one with a code to the address on file, then signs in and registers.
import { expect, it } from '@jest/globals'
import { totpCode } from '../authenticator.ts'
import type { Account } from '../../src/domain/types.ts'
import { anyone, arena, errorOf, leaked, silently, someone } from '../attacks/attacker.ts'
import { eachStore } from '../stores.ts'
import type { World } from '../world.ts'
import { byApp, byMail, choose, forgot, mailsTo, named } from './owner.ts'
import { at } from './steps.ts'

const DAY = 86_400_000

/** As `users add` does. */
async function added(w: World, username: string, more: Partial<Account> = {}): Promise<Account> {
  const account = await w.add(username, { activation: { until: w.clock.now() + 30 * DAY }, ...more })
  const { password: _none, ...bare } = account
  await w.store.accounts.replace({ ...bare, version: account.version + 1 }, account.version)
  return w.account(username)
}

const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

eachStore('activation', (database) => {
  const here = arena(database)

  it('one gate, a first password of fifteen characters, then sign-in and registration; once', async () => {
    const w = await here.enter()
    const [username, b] = [someone(), anyone(w)]
    await added(w, username)
    await forgot(w, b)
    await named(b, username)
    expect(at(b)).toBe('choose-method')
    await byMail(w, b, { username })
    expect(at(b)).toBe('new-password')
    await choose(b, 'quiet otter 57')
    expect(at(b)).toBe('new-password !password_too_short')
    const password = 'quiet otter lamp 57'
    await choose(b, password)
    expect(at(b)).toBe('changed')
    expect(errorOf(await silently(w, b))).toBe('login_required')
    const account = await w.account(username)
    expect([account.activation, account.epoch, account.credentials]).toEqual([undefined, 2, []])
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('sign-in')
    await b.submit({ username, password, action: 'continue' })
    expect(at(b)).toBe('registration')
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('prove email')
    const mails = await mailsTo(w, `${username}@example.org`, 3)
    const code =
      /\b(\d{4}\s?\d{4})\b/.exec(mails.findLast(({ text }) => /\b\d{4}\s?\d{4}\b/.test(text))?.text ?? '')?.[1] ?? ''
    await b.submit({ code: code.replace(/\s/g, ''), action: 'continue' })
    expect(at(b)).toBe('enrol totp')
    await b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })
    await b.submit({ acknowledged: 'yes', action: 'continue' })
    expect(leaked(await b.submit({ action: 'continue' }))).toBe(true)
    const told = (await mailsTo(w, `${username}@example.org`)).filter(({ subject }) =>
      /now has a password/.test(subject),
    )
    expect(told).toHaveLength(1)
  })

  it('the other methods of the page match nothing: there is nothing to match', async () => {
    const w = await here.enter()
    const [username, b] = [someone(), anyone(w)]
    await added(w, username)
    await forgot(w, b)
    await named(b, username)
    await byApp(w, b, { secret })
    expect(at(b)).toBe('prove totp !wrong_code')
  })

  it('thirty days: until the last moment, and not after; the owner is told', async () => {
    const w = await here.enter()
    const [early, late] = [someone(), someone()]
    await added(w, early, { activation: { until: w.clock.now() + 62_000 } })
    await added(w, late, { activation: { until: w.clock.now() + 61_000 } })
    const [b, c] = [anyone(w), anyone(w)]
    await forgot(w, b)
    await named(b, early)
    await byMail(w, b, { username: early })
    expect(at(b)).toBe('new-password')
    await forgot(w, c)
    await named(c, late)
    await c.submit({ method: 'email' })
    await c.submit({ code: '12345678', action: 'continue' })
    expect(at(c)).toBe('prove email !wrong_code')
    const [mail] = await mailsTo(w, `${late}@example.org`, 1)
    expect(mail?.text).toContain('registered for this account')
  })

  it('the window closes between the gate and the password: no password', async () => {
    const w = await here.enter()
    const [username, b] = [someone(), anyone(w)]
    await added(w, username, { activation: { until: w.clock.now() + 100_000 } })
    await forgot(w, b)
    await named(b, username)
    await byMail(w, b, { username })
    expect(at(b)).toBe('new-password')
    w.clock.tick(100_000)
    await choose(b, 'quiet otter lamp 57')
    expect(at(b)).not.toBe('changed')
    expect((await w.account(username)).password).toBeUndefined()
  })

  it('an administrator needs an access pass as well: refused, and the mail says so', async () => {
    const w = await here.enter()
    const [username, b] = [someone(), anyone(w)]
    await added(w, username, { groups: ['admins'] })
    await forgot(w, b)
    await named(b, username)
    await b.submit({ method: 'email' })
    expect(at(b)).toBe('prove email')
    const mails = await mailsTo(w, `${username}@example.org`, 1)
    expect(mails.map(({ text }) => text).join()).toContain('access pass')
    expect(mails.map(({ text }) => text).join()).not.toMatch(/\b\d{4}\s?\d{4}\b/)
  })

  it('RS-9: somebody who registers meanwhile is no activation any more', async () => {
    const w = await here.enter()
    const [username, b] = [someone(), anyone(w)]
    await added(w, username)
    await forgot(w, b)
    await named(b, username)
    await byMail(w, b, { username })
    expect(at(b)).toBe('new-password')
    const account = await w.account(username)
    const credentials = [{ id: 'one', method: 'totp', label: '', addedAt: 0, data: { sealed: '', lastStep: 0 } }]
    await w.store.accounts.replace({ ...account, credentials, version: account.version + 1 }, account.version)
    await choose(b, 'quiet otter lamp 57')
    expect(at(b)).not.toBe('changed')
    expect((await w.account(username)).password).toBeUndefined()
  })
})
