// The attacker knows a name and floods its reset: mails stay few, gates close for strangers alone, the owner gets on.
import { request } from 'node:http'
import { expect, it } from '@jest/globals'
import { hidden, type Response } from '../browser.ts'
import { byApp, byCode, choose, enter, forgot, mailsTo, named, newPassword, owner } from '../journeys/owner.ts'
import { at } from '../journeys/steps.ts'
import { eachStore } from '../stores.ts'
import type { World } from '../world.ts'
import { anyone, arena, leaked, parallel, silently, someone } from './attacker.ts'

const HOUR = 3_600_000

/** As far as the choice of a method. */
const at1 = async (w: World, username: string) => {
  const b = anyone(w)
  await forgot(w, b)
  await named(b, username)
  return b
}

const statuses = (answers: readonly Response[]): Record<number, number> => {
  const counted: Record<number, number> = {}
  for (const { status } of answers) counted[status] = (counted[status] ?? 0) + 1
  return counted
}

const quiet = () => new Promise((done) => setTimeout(done, 100))

eachStore('RS-14: floods of a reset', (database) => {
  const here = arena(database)

  it('RS-14, TH-3: two hundred for one name at once, in two processes: one mail; password and session are as they were', async () => {
    const w = await here.enterTwo()
    const [who, home] = [await owner(w, someone()), anyone(w)]
    expect(leaked(await enter(w, home, who))).toBe(true)
    const before = await w.account(who.username)
    const first = await at1(w, who.username)
    const answers = await parallel(200, () => first.clone().submit({ method: 'email' }))
    const fresh = await parallel(40, async () => (await at1(w, who.username)).submit({ method: 'email' }))
    expect(statuses([...answers, ...fresh])[500]).toBeUndefined()
    await mailsTo(w, `${who.username}@example.org`, 1)
    await quiet()
    expect(await mailsTo(w, `${who.username}@example.org`)).toHaveLength(1)
    const after = await w.account(who.username)
    expect([after.epoch, after.password, after.credentials]).toEqual([
      before.epoch,
      before.password,
      before.credentials,
    ])
    expect(leaked(await silently(w, home))).toBe(true)
    expect(leaked(await enter(w, anyone(w), who))).toBe(true)
  })

  it('RS-14: five mails an hour, ten a day, however long it is kept up; explanations count the same', async () => {
    const w = await here.enter()
    const able = await owner(w, someone())
    const unable = await owner(w, someone(), { disabled: true })
    const count = async (who: { username: string }): Promise<number> =>
      (await mailsTo(w, `${who.username}@example.org`)).length
    const start = w.clock.now()
    const ask = async (): Promise<void> => {
      for (const who of [able, unable]) await (await at1(w, who.username)).submit({ method: 'email' })
      w.clock.tick(61_000)
    }
    for (let minute = 0; minute < 8; minute++) await ask()
    await quiet()
    expect([await count(able), await count(unable)]).toEqual([5, 5])
    for (let hour = 0; hour < 4; hour++) {
      w.clock.tick(HOUR)
      for (let minute = 0; minute < 3; minute++) await ask()
    }
    await quiet()
    expect(w.clock.now() - start).toBeLessThan(24 * HOUR)
    expect([await count(able), await count(unable)]).toEqual([10, 10])
  })

  it('TH-3: every gate is closed by strangers: in a known browser the owner resets and signs in at once, elsewhere signs in', async () => {
    const w = await here.enterTwo()
    const [who, home] = [await owner(w, someone()), anyone(w)]
    await enter(w, home, who)
    w.clock.tick(61_000)
    const strangers = await parallel(14, () => at1(w, who.username))
    await Promise.all(strangers.map((b) => b.submit({ method: 'totp' })))
    const codes = await Promise.all(strangers.map((b) => b.submit({ code: '000000', action: 'continue' })))
    expect(statuses(codes)).toEqual({ 422: 10, 429: 4 })
    await Promise.all(strangers.map((b) => b.submit({ method: 'recovery-codes' })))
    const guesses = await Promise.all(
      strangers.map((b) => b.submit({ code: 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA', action: 'continue' })),
    )
    // A recovery code has 120 bits: guesses are counted for each source by itself, so that no stranger closes this gate.
    expect(statuses(guesses)).toEqual({ 422: 14 })
    await Promise.all(strangers.map((b) => b.submit({ method: 'email' })))
    const flood = parallel(60, async () => (await at1(w, who.username)).submit({ method: 'email' }))

    const owners = home.clone()
    owners.cookies = owners.cookies.filter(({ name }) => !name.startsWith('_session'))
    await forgot(w, owners)
    await named(owners, who.username)
    await byApp(w, owners, who)
    expect(at(owners)).toBe('choose-method')
    await byCode(owners, who)
    expect(at(owners)).toBe('new-password')
    const password = newPassword()
    await choose(owners, password)
    expect(at(owners)).toBe('changed')
    await flood
    // Sign-in knows nothing of what a reset was flooded with.
    expect(leaked(await enter(w, anyone(w), who, { password }))).toBe(true)
    expect((await w.account(who.username)).credentials.some(({ disabled }) => disabled)).toBe(false)
  })

  it('TH-3: wrong passwords from everywhere close the password, and neither the reset nor what comes after it', async () => {
    const w = await here.enterTwo()
    const who = await owner(w, someone())
    await parallel(14, async (index) => {
      const b = anyone(w)
      await b.open(w.authorize())
      return b.submit({ username: who.username, password: `wrong ${index}`, action: 'continue' })
    })
    const b = await at1(w, who.username)
    await byApp(w, b, who)
    await byCode(b, who)
    const password = newPassword()
    await choose(b, password)
    expect(at(b)).toBe('changed')
    expect(leaked(await enter(w, anyone(w), who, { password }))).toBe(true)
  })

  it('RS-15: whoever asks again and again makes no code of the owner stale', async () => {
    const w = await here.enter()
    const who = await owner(w, someone())
    const b = await at1(w, who.username)
    await b.submit({ method: 'email' })
    const code = await w.code(`${who.username}@example.org`)
    for (let minute = 0; minute < 5; minute++) {
      w.clock.tick(61_000)
      const stranger = await at1(w, who.username)
      await stranger.submit({ method: 'email' })
      await stranger.submit({ code: '00000000', action: 'continue' })
    }
    await b.submit({ code, action: 'continue' })
    expect(at(b)).toBe('choose-method')
  })

  it('RS-10: mail goes to the address on file and nowhere else, whatever is typed as a name', async () => {
    const w = await here.enter()
    const who = await owner(w, someone())
    const [mine, theirs] = ['me@evil.example', `${who.username}@example.org`]
    const before = w.outbox.mails().length
    const typed = [
      `${who.username},${mine}`,
      `${who.username};${mine}`,
      `${who.username}\nBcc: ${mine}`,
      `${who.username}%0aBcc:${mine}`,
      `${theirs},${mine}`,
      `${theirs}\r\nTo: ${mine}`,
      mine,
      `${who.username}@exаmple.org`,
      who.username.toUpperCase(),
      `＠${who.username}`,
      `${who.username} ${mine}`,
    ]
    for (const name of typed) {
      const b = anyone(w)
      await forgot(w, b)
      await named(b, name)
      await b.submit({ method: 'email', email: mine, address: mine, to: mine })
      w.clock.tick(HOUR / 4)
    }
    const raw = [
      'username[]=A&username[]=B',
      'username=A&username=B',
      'username[to]=B',
      'username=A%00',
      '{"username":"A"}',
    ]
    for (const body of raw) {
      const b = anyone(w)
      await forgot(w, b)
      const step = `step=${encodeURIComponent(hidden(b.now?.html ?? '')['step'] ?? '')}`
      const form = `${step}&${body.replaceAll('A', who.username).replaceAll('B', encodeURIComponent(mine))}`
      const answer = await b.request(b.now?.url ?? '', { form })
      expect([body, answer.status >= 400 && answer.status < 500]).toEqual([body, true])
    }
    const json = anyone(w)
    await forgot(w, json)
    const answer = await json.request(json.now?.url ?? '', {
      form: JSON.stringify({ username: [who.username, mine], ...hidden(json.now?.html ?? '') }),
      headers: { 'content-type': 'application/json' },
    })
    expect(answer.status).toBe(415)
    await quiet()
    const sent = w.outbox.mails().slice(before)
    expect(sent.length).toBeGreaterThan(0)
    expect(sent.filter(({ to }) => to !== theirs)).toEqual([])
  })

  it('RS-11: whatever Host, Forwarded or X-Forwarded say, redirects and mails lead to the issuer', async () => {
    const w = await here.enter()
    const port = Number(new URL(w.issuer).port)
    const ask = (headers: Record<string, string>, path: string): Promise<{ status: number; location: string }> =>
      new Promise((done, failed) => {
        request({ host: '127.0.0.1', port, path, headers }, (answer) => {
          answer.resume()
          done({ status: answer.statusCode ?? 0, location: answer.headers.location ?? '' })
        })
          .on('error', failed)
          .end()
      })
    const host = new URL(w.issuer).host
    const variants: [Record<string, string>, string][] = [
      [{ host: 'evil.example' }, '/forgot-password'],
      [{ host: `evil.example:${port}` }, '/forgot-password'],
      [{ host, 'x-forwarded-host': 'evil.example' }, '/forgot-password'],
      [{ host, 'x-forwarded-server': 'evil.example' }, '/forgot-password'],
      [{ host, forwarded: 'host=evil.example' }, '/forgot-password'],
      [{ host, 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example' }, '/.well-known/change-password'],
      [{ host: 'evil.example' }, `http://evil.example/forgot-password`],
      [{ host }, `http://evil.example/.well-known/change-password`],
    ]
    for (const [headers, path] of variants) {
      const answer = await ask(headers, path)
      const target = new URL(answer.location === '' ? w.issuer : answer.location, w.issuer)
      expect([headers, path, target.hostname]).toEqual([headers, path, 'localhost'])
      // The address of the built-in client in it, too.
      expect(target.search).not.toContain('evil')
    }
    const who = await owner(w, someone())
    const b = anyone(w)
    Object.assign(b.headers, { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' })
    await forgot(w, b)
    await named(b, who.username)
    await b.submit({ method: 'email' })
    for (const { text } of await mailsTo(w, `${who.username}@example.org`, 1)) expect(text).not.toContain('evil')
  })
})
