// "I know my password, I am locked out": the same gates, then the waits end, and the password stays.
import { expect, it } from '@jest/globals'
import { anyone, arena, errorOf, leaked, parallel, silently, someone } from '../attacks/attacker.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, type World } from '../world.ts'
import { byApp, byCode, enter, forgot, mailsTo, named, newPassword, owner } from './owner.ts'
import { at } from './steps.ts'

const lockOut = (w: World, username: string): Promise<unknown> =>
  parallel(12, async (index) => {
    const b = anyone(w)
    await b.open(w.authorize())
    await b.submit({ username, password: `wrong ${index}`, action: 'continue' })
  })

const tried = async (w: World, username: string): Promise<string> => {
  const b = anyone(w)
  await b.open(w.authorize())
  await b.submit({ username, password: passwordOf(username), action: 'continue' })
  return at(b)
}

eachStore('unlock', (database) => {
  const here = arena(database)

  it('the waits end; password, epoch, factors and sessions stay; nobody is signed in; the owner is told once', async () => {
    const w = await here.enter()
    const [who, home, b] = [await owner(w, someone()), anyone(w), anyone(w)]
    expect(leaked(await enter(w, home, who))).toBe(true)
    const before = await w.account(who.username)
    await lockOut(w, who.username)
    expect(await tried(w, who.username)).toBe('sign-in !too_many_passwords')
    await forgot(w, b)
    await named(b, who.username, 'unlock')
    await byApp(w, b, who)
    expect(await tried(w, who.username)).toBe('sign-in !too_many_passwords')
    await byCode(b, who)
    expect(at(b)).toBe('changed')
    expect(b.now?.html).not.toContain('new_password')
    const after = await w.account(who.username)
    expect([after.epoch, after.password]).toEqual([before.epoch, before.password])
    expect(after.credentials.map(({ id }) => id)).toEqual(before.credentials.map(({ id }) => id))
    expect(await tried(w, who.username)).toBe('prove totp')
    expect(errorOf(await silently(w, b))).toBe('login_required')
    expect(leaked(await silently(w, home))).toBe(true)
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('sign-in')
    const subjects = (await mailsTo(w, `${who.username}@example.org`, 1)).map(({ subject }) => subject)
    expect(subjects.filter((subject) => /unlocked/.test(subject))).toHaveLength(1)
  })

  it('RS-9: a walk for the end of the waits never takes a new password', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    const before = (await w.account(who.username)).password
    await forgot(w, b)
    await named(b, who.username, 'unlock')
    const password = newPassword()
    const also = { new_password: password, confirm_password: password, goal: 'reset' }
    await b.submit({ method: 'totp', ...also })
    await b.submit({ action: 'other_method', ...also })
    await byApp(w, b, who)
    await b.submit({ method: 'recovery-codes', ...also })
    await b.submit({ code: who.codes[0] ?? '', action: 'continue', ...also })
    expect(at(b)).toBe('changed')
    await b.submit({ action: 'continue', ...also })
    expect((await w.account(who.username)).password).toEqual(before)
  })

  it('where policy does not offer it, asking for it is asking for a reset', async () => {
    const w = await here.enter({ policy: { ...defaultPolicy, reset: { ...defaultPolicy.reset, unlock: false } } })
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await forgot(w, b)
    expect(b.now?.html).not.toContain('value="unlock"')
    await named(b, who.username, 'unlock')
    await byApp(w, b, who)
    await byCode(b, who)
    expect(at(b)).toBe('new-password')
  })

  it('EM-1: a name that leads nowhere walks the same way, and unlocks nothing', async () => {
    const w = await here.enter()
    const who = await owner(w, someone(), { disabled: true })
    await lockOut(w, who.username)
    const b = anyone(w)
    await forgot(w, b)
    await named(b, who.username, 'unlock')
    expect(at(b)).toBe('choose-method')
    await byApp(w, b, who)
    expect(at(b)).toBe('prove totp !wrong_code')
    expect(await tried(w, who.username)).toBe('sign-in !too_many_passwords')
  })
})
