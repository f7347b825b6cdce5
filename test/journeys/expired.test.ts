// A reset or a change that took too long: it begins anew, and the page says so in words of its own, not of a sign-in.
import { expect, it } from '@jest/globals'
import { anyone, arena, someone } from '../attacks/attacker.ts'
import { eachStore } from '../stores.ts'
import { passwordOf } from '../world.ts'
import { byApp, byCode, choose, enter, forgot, named, newPassword, opens, owner } from './owner.ts'
import { at } from './steps.ts'

const LIFE = 15 * 60_000
const words = {
  en: 'a password is reset or changed within a short time, or not at all',
  'zh-TW': '重設或變更密碼必須在短時間內完成，否則不會生效',
}
const neutral = 'these pages wait for a short time only. Nothing was lost.'

eachStore('RS-3: too late', (database) => {
  const here = arena(database)

  it.each(['en', 'zh-TW'] as const)('a reset of its own page begins with the name again, in %s', async (language) => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    b.headers['accept-language'] = language
    await b.open(`${w.issuer}/forgot-password`)
    await named(b, who.username)
    await byApp(w, b, who)
    w.clock.tick(LIFE)
    await b.submit({ method: 'recovery-codes' })
    expect([at(b), b.now?.status]).toEqual(['forgot !change_expired', 410])
    expect(b.now?.html).toContain(words[language])
    expect(b.now?.html).not.toMatch(/sign-in is|Nothing was lost|登入程序/)
  })

  it('a change begins with the present password again, and that is still the one', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await enter(w, b, who)
    await b.open(`${w.issuer}/change-password`)
    await b.submit({ password: passwordOf(who.username), action: 'continue' })
    expect(at(b)).toBe('new-password')
    w.clock.tick(LIFE)
    const password = newPassword()
    await choose(b, password)
    expect([at(b), b.now?.status]).toEqual(['password !change_expired', 410])
    expect(b.now?.html).toContain(words.en)
    expect(await opens(w, who, password)).toBe(false)
  })

  it('once the new password stands, nobody is told that nothing happened', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await forgot(w, b)
    await named(b, who.username)
    await byApp(w, b, who)
    await byCode(b, who)
    const password = newPassword()
    await choose(b, password)
    expect(at(b)).toBe('changed')
    w.clock.tick(LIFE)
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('sign-in !flow_expired')
    expect(b.now?.html).toContain(neutral)
    expect(await opens(w, who, password)).toBe(true)
  })
})
