// The attacker goes at the seams of a reset: evidence of another account, another flow, another browser; steps left out or
// repeated; an account that changed meanwhile.
import { expect, it } from '@jest/globals'
import type { Account } from '../../src/domain/types.ts'
import { totpCode } from '../authenticator.ts'
import { hidden, type Response } from '../browser.ts'
import { byApp, byCode, byMail, choose, forgot, gates, named, newPassword, opens, owner } from '../journeys/owner.ts'
import { at } from '../journeys/steps.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf } from '../world.ts'
import { anyone, arena, errorOf, silently, someone } from './attacker.ts'

eachStore('RS-9: evidence of a reset', (database) => {
  const here = arena(database)

  it('RS-9: what was shown for one account serves no other: a second name, another walk, a page carried over', async () => {
    const w = await here.enter()
    const [own, victim] = [await owner(w, someone()), await owner(w, someone())]
    const b = anyone(w)
    await forgot(w, b)
    const first = b.now as Response
    await named(b, own.username)
    await byApp(w, b, own)
    await byCode(b, own)
    expect(at(b)).toBe('new-password')
    const ready = b.now as Response
    const password = newPassword()
    // The form of the first page, again, with the victim's name.
    await b.open(
      await b.request(first.url, { form: { ...hidden(first.html), username: victim.username, action: 'continue' } }),
    )
    expect(at(b)).toBe('new-password')
    await b.submit({
      new_password: password,
      confirm_password: password,
      username: victim.username,
      account: victim.id,
      action: 'continue',
    })
    expect(at(b)).toBe('changed')
    expect([await opens(w, own, password), await opens(w, victim, password)]).toEqual([true, false])

    // A walk for the victim, in the same browser, with the token of the page that was ready for the other one.
    const c = anyone(w)
    c.cookies = structuredClone(b.cookies)
    await forgot(w, c)
    await named(c, victim.username)
    const form = { ...hidden(ready.html), new_password: password, confirm_password: password, action: 'continue' }
    const carried = await c.request(c.now?.url ?? '', { form })
    expect(carried.status).toBe(403)
    expect(await opens(w, victim, password)).toBe(false)
  })

  it('RS-9: steps are not skipped: a new password posted at every page before its own', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    const password = newPassword()
    const early = async (): Promise<void> => {
      const twin = b.clone()
      await choose(twin, password)
      const as = { ...hidden(b.now?.html ?? '') }
      // The token with another requirement's name in it.
      const step = (as['step'] ?? '').replace(/\.[a-z-]+\./, '.new-password.')
      const forged = await twin.request(b.now?.url ?? '', {
        form: { ...as, step, new_password: password, confirm_password: password, action: 'continue' },
      })
      expect(forged.status).toBe(403)
      expect((await w.account(who.username)).epoch).toBe(1)
    }
    await forgot(w, b)
    await early()
    await named(b, who.username)
    await early()
    await b.submit({ method: 'totp' })
    await early()
    w.clock.tick(30_000)
    await b.submit({ code: totpCode(who.secret, w.clock.now()), action: 'continue' })
    await early()
    await b.submit({ method: 'recovery-codes' })
    await early()
    expect(await opens(w, who, passwordOf(who.username))).toBe(true)
  })

  it('RS-9: a code that was mailed for something else opens no gate', async () => {
    // One gate is one only where no second factor is wanted, or the account has one.
    const { mfa, reset } = defaultPolicy
    const policy = { ...defaultPolicy, mfa: { ...mfa, required: false }, reset: { ...reset, gates: 1 as const } }
    const w = await here.enter({ policy })
    const username = someone()
    const b = anyone(w)
    await w.add(username)
    await b.open(w.authorize())
    await b.submit({ username, password: passwordOf(username), action: 'continue' })
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('prove email')
    const other = await w.code(`${username}@example.org`)
    const account = await w.account(username)
    const credentials = [
      { id: 'mail', method: 'email', label: '', addedAt: 0, data: { address: `${username}@example.org` } },
    ]
    await w.store.accounts.replace({ ...account, credentials, version: account.version + 1 }, account.version)
    const c = anyone(w)
    w.clock.tick(61_000)
    await forgot(w, c)
    await named(c, username)
    await c.submit({ method: 'email' })
    await c.submit({ code: other, action: 'continue' })
    expect(at(c)).toBe('prove email !wrong_code')
    // And of another walk's reset.
    const right = await w.code(`${username}@example.org`, 2)
    const d = anyone(w)
    w.clock.tick(61_000)
    await forgot(w, d)
    await named(d, username)
    await d.submit({ method: 'email' })
    await d.submit({ code: right, action: 'continue' })
    expect(at(d)).toBe('prove email !wrong_code')
    await c.submit({ code: right, action: 'continue' })
    expect(at(c)).toBe('new-password')
  })

  it('RS-8, RS-9: gates of a reset are no sign-in: the same request afterwards still asks for everything', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await gates(w, b, who)
    await b.submit({ action: 'cancel' })
    expect(at(b)).toBe('sign-in')
    await b.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('prove totp')
    expect(errorOf(await silently(w, b))).toBe('login_required')
    // And back: nothing of it is left for a reset.
    const c = anyone(w)
    await gates(w, c, who)
    await c.submit({ action: 'cancel' })
    await c.submit({ action: 'forgot' })
    expect(at(c)).toBe('forgot')
    await named(c, who.username)
    expect(at(c)).toBe('choose-method')
  })

  it('RS-9, SE-9: what became of the account between the gates and the password decides', async () => {
    const w = await here.enter()
    const meanwhile: Record<string, (account: Account) => Account> = {
      disabled: (account) => ({ ...account, disabled: true }),
      'signed out everywhere': (account) => ({ ...account, epoch: account.epoch + 1 }),
      'left with too little': (account) => ({ ...account, credentials: account.credentials.slice(0, 1) }),
    }
    for (const [title, change] of Object.entries(meanwhile)) {
      const [who, b] = [await owner(w, someone()), anyone(w)]
      await gates(w, b, who)
      const account = await w.account(who.username)
      await w.store.accounts.replace({ ...change(account), version: account.version + 1 }, account.version)
      const password = newPassword()
      await choose(b, password)
      expect([title, at(b)]).not.toEqual([title, 'changed'])
      const after = await w.account(who.username)
      expect([title, after.password]).toEqual([title, account.password])
    }
    // Deleted.
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await gates(w, b, who)
    const account = await w.account(who.username)
    await w.store.accounts.remove(account.id, account.version)
    expect((await choose(b, newPassword())).status).toBeLessThan(500)
    expect(at(b)).not.toBe('changed')
    // Policy that closed resets.
    const [late, c] = [await owner(w, someone()), anyone(w)]
    await gates(w, c, late)
    w.policy.reset.scope = 'none'
    await choose(c, newPassword())
    expect(at(c)).not.toBe('changed')
    expect((await w.account(late.username)).epoch).toBe(1)
  })

  it('RS-9: an administrator by now needs the second gate that one gate was before', async () => {
    const w = await here.enter({ policy: { ...defaultPolicy, reset: { ...defaultPolicy.reset, gates: 1 } } })
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await forgot(w, b)
    await named(b, who.username)
    await byMail(w, b, who)
    expect(at(b)).toBe('new-password')
    const account = await w.account(who.username)
    await w.store.accounts.replace({ ...account, groups: ['admins'], version: account.version + 1 }, account.version)
    await choose(b, newPassword())
    expect(at(b)).toBe('choose-method')
    expect((await w.account(who.username)).epoch).toBe(1)
  })

  it('RS-18: the browser that watched, with the same address or a copy of its cookies, is signed in by nothing', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await forgot(w, b)
    const watcher = b.clone()
    await named(b, who.username)
    await byApp(w, b, who)
    await byCode(b, who)
    await choose(b, newPassword())
    await watcher.open(watcher.now?.url ?? '')
    expect(at(watcher)).toBe('changed')
    await watcher.submit({ action: 'continue' })
    expect(at(watcher)).toBe('sign-in')
    expect(errorOf(await silently(w, watcher))).toBe('login_required')
    const stranger = anyone(w)
    await stranger.open(b.now?.url ?? '')
    expect(at(stranger)).toBe('error !other_browser')
  })
})
