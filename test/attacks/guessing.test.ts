// The attacker guesses: a hundred at once, over many addresses, sessions and processes, under many spellings of a name.
// No more than the budget may ever be compared, nothing may tell one kind of account from another, and the owner still gets in.
import { randomInt } from 'node:crypto'
import { expect, it } from '@jest/globals'
import type { EventKind } from '../../src/domain/types.ts'
import { totpCode } from '../authenticator.ts'
import { type Browser, marks, type Response } from '../browser.ts'
import { eachStore } from '../stores.ts'
import { passwordOf, register, signIn, type World } from '../world.ts'
import { anyone, arena, leaked, mailedCode, parallel, someone, somewhere, walk } from './attacker.ts'

const compared = async (w: World, username: string, kind: EventKind): Promise<number> => {
  const { id } = await w.account(username)
  const found = await w.store.audit.query({ accountId: id, kind }, 1000)
  return found.filter(({ outcome }) => outcome === 'failure').length
}

const statuses = (answers: readonly Response[]): Record<number, number> => {
  const counted: Record<number, number> = {}
  for (const { status } of answers) counted[status] = (counted[status] ?? 0) + 1
  return counted
}

const wrongPassword = async (w: World, username: string, password: string, from = somewhere()): Promise<Response> => {
  const b = anyone(w, from)
  await b.open(w.authorize())
  return b.submit({ username, password, action: 'continue' })
}

/** A code that the authenticator does not show around now. */
function wrongCode(secret: string, now: number): string {
  const right = new Set([-60_000, -30_000, 0, 30_000, 60_000].map((by) => totpCode(secret, now + by)))
  for (;;) {
    const code = String(randomInt(1_000_000)).padStart(6, '0')
    if (!right.has(code)) return code
  }
}

/** What a page shows, without what differs every time: tokens, the reference number, the name that was typed. */
function shape({ status, html, headers }: Response, typed: string): object {
  const masked = html
    .replace(/name="step" value="[^"]*"/g, 'name="step"')
    .replace(/(class="reference">[^<]*?)[0-9A-Z]{8,}/g, '$1REFERENCE')
    .replaceAll(typed, 'NAME')
    .replace(/\/interaction\/[\w-]+/g, '/interaction/CID')
  const names = [...headers.keys()].filter((name) => name !== 'content-length').toSorted()
  return {
    status,
    names,
    cookies: headers.getSetCookie().map((line) => line.split('=')[0]),
    marks: marks(html),
    masked,
  }
}

eachStore('TH-7: guessing', (database) => {
  const at = arena(database)

  it('TH-7: a hundred wrong passwords at once, from a hundred addresses, in two processes: ten are compared', async () => {
    const w = await at.enterTwo()
    const username = someone()
    await w.add(username)
    const browsers = await parallel(100, async () => {
      const b = anyone(w)
      await b.open(w.authorize())
      return b
    })
    const answers = await Promise.all(
      browsers.map((b, index) => b.submit({ username, password: `wrong ${index}`, action: 'continue' })),
    )
    expect(await compared(w, username, 'sign-in.password')).toBe(10)
    expect(statuses(answers)).toEqual({ 422: 10, 429: 90 })
    // The right one is not compared either while the wait lasts, and is when it is over.
    expect((await wrongPassword(w, username, passwordOf(username))).status).toBe(429)
    w.clock.tick(61_000)
    expect(marks((await wrongPassword(w, username, passwordOf(username))).html).page).toBe('registration')
  })

  it('TO-5: sixty wrong codes of an authenticator at once, in fresh sessions, in two processes: twenty are compared', async () => {
    const w = await at.enterTwo()
    const username = someone()
    await w.add(username)
    const { secret } = await register(w, anyone(w), username)
    w.clock.tick(30_000)
    const browsers = await parallel(60, async () => {
      const b = anyone(w)
      await walk(w, b, username, 1)
      return b
    })
    const answers = await Promise.all(
      browsers.map((b) => b.submit({ code: wrongCode(secret, w.clock.now()), action: 'continue' })),
    )
    expect(statuses(answers)).toEqual({ 422: 20, 429: 40 })
    expect(await compared(w, username, 'sign-in.proof')).toBe(20)
    const late = await signIn(w, anyone(w), username, secret)
    expect([late.status, leaked(late)]).toEqual([429, false])
  })

  it('OC-2, TO-5: sixty wrong mailed codes at once: five are compared, and the right one behind them is not', async () => {
    const w = await at.enterTwo()
    const [username, b] = [someone(), anyone(w)]
    await w.add(username)
    await walk(w, b, username, 2)
    const code = await mailedCode(w, b, username)
    const answers = await parallel(60, (index) => {
      const guess = anyone(w)
      guess.cookies = b.cookies
      guess.now = b.now
      return guess.submit({
        code: String((Number(code) + index + 1) % 100_000_000).padStart(8, '0'),
        action: 'continue',
      })
    })
    expect(await compared(w, username, 'trust-gate')).toBe(5)
    expect(answers.filter(({ status }) => status >= 500)).toEqual([])
    await b.open((b.now as Response).url)
    expect((await b.submit({ code, action: 'continue' })).status).toBe(429)
    expect((await w.account(username)).credentials).toEqual([])
  })

  it('RC-8: sixty wrong recovery codes at once, in fresh sessions, in two processes: ten are compared', async () => {
    const w = await at.enterTwo()
    const username = someone()
    await w.add(username)
    const { recoveryCodes } = await register(w, anyone(w), username)
    const [right = ''] = recoveryCodes
    const browsers = await parallel(40, async () => {
      const b = anyone(w)
      await walk(w, b, username, 1)
      await b.submit({ method: 'recovery-codes' })
      return b
    })
    const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
    const answers = await Promise.all(
      browsers.map((b) =>
        b.submit({ code: right.replace(/[^-]/g, () => alphabet.charAt(randomInt(32))), action: 'continue' }),
      ),
    )
    expect(statuses(answers)).toEqual({ 422: 10, 429: 30 })
    expect(await compared(w, username, 'sign-in.proof')).toBe(10)
    expect((await (browsers[0] as Browser).submit({ code: right, action: 'continue' })).status).toBe(429)
    w.clock.tick(3_600_001)
    const later = anyone(w)
    await walk(w, later, username, 1)
    await later.submit({ method: 'recovery-codes' })
    expect(leaked(await later.submit({ code: right, action: 'continue' }))).toBe(true)
  })

  it('TH-3: while a flood runs from everywhere, the owner signs in at the first try in the browser that is known', async () => {
    const w = await at.enterTwo()
    const [username, home] = [someone(), anyone(w)]
    await w.add(username)
    const { secret } = await register(w, home, username)
    home.cookies = home.cookies.filter(({ name }) => !name.startsWith('_session'))
    const flood = parallel(80, (index) => wrongPassword(w, username, `flood ${index}`))
    const owner = await signIn(w, home, username, secret)
    expect(leaked(owner)).toBe(true)
    await flood
    home.cookies = home.cookies.filter(({ name }) => !name.startsWith('_session'))
    expect(leaked(await signIn(w, home, username, secret))).toBe(true)
    // Recovery codes and the second factor were never touched by who does not know the password.
    expect(await compared(w, username, 'sign-in.proof')).toBe(0)
  })

  it('TH-4: the known-browser cookie opens no other account, no older epoch, no changed value, and is no proof', async () => {
    const w = await at.enter()
    const [mine, victim] = [someone(), someone()]
    const [own, theirs] = [anyone(w), anyone(w)]
    await w.add(mine)
    await w.add(victim)
    await register(w, own, mine)
    await register(w, theirs, victim)
    const known = (b: Browser) => b.cookies.find(({ name }) => name.startsWith('known-'))
    const [ownCookie, theirCookie] = [known(own), known(theirs)]
    if (!ownCookie || !theirCookie) throw new Error('no known-browser cookie was set')
    await parallel(12, (index) => wrongPassword(w, victim, `flood ${index}`))
    const tried = async (value: string): Promise<number> => {
      const b = anyone(w)
      b.cookies = [{ ...theirCookie, value }]
      await b.open(w.authorize())
      return (await b.submit({ username: victim, password: 'wrong once more', action: 'continue' })).status
    }
    expect(await tried(theirCookie.value)).toBe(422)
    const [browser = '', ...signature] = theirCookie.value.split('.')
    expect(await tried(ownCookie.value)).toBe(429)
    expect(await tried(`${browser}.${ownCookie.value.split('.').slice(1).join('.')}`)).toBe(429)
    expect(await tried(`${browser}x.${signature.join('.')}`)).toBe(429)
    expect(await tried(browser)).toBe(429)
    expect(await tried('')).toBe(429)
    expect(await tried('é%ED%A0%80.'.repeat(300))).toBe(429)
    const alone = anyone(w)
    alone.cookies = [theirCookie]
    await alone.open(w.authorize())
    expect(alone.page.page).toBe('sign-in')
    await w.self.signOut((await w.account(victim)).id)
    expect(await tried(theirCookie.value)).toBe(429)
  })

  it('TH-5: spellings of one name share one budget, and so do those of a name that nobody has', async () => {
    const w = await at.enter()
    for (const known of [true, false]) {
      const username = someone()
      if (known) await w.add(username)
      const wide = Array.from(username, (letter) =>
        letter < '!' || letter > '~' ? letter : String.fromCharCode(letter.charCodeAt(0) + 0xfee0),
      )
      const spellings = [
        username,
        username.toUpperCase(),
        `  ${username}`,
        `${username}\t `,
        wide.join(''),
        `${username.slice(0, 3)}\u200b${username.slice(3)}`,
        `\ufeff${username}`,
        `\u3000${username}`,
      ]
      const answers: number[] = []
      for (let guess = 0; guess < 12; guess++) {
        answers.push((await wrongPassword(w, spellings[guess % spellings.length] ?? '', `wrong ${guess}`)).status)
      }
      expect(answers).toEqual([...Array.from({ length: 10 }, () => 422), 429, 429])
    }
  })

  it('TH-6: behind a proxy, what the client writes into X-Forwarded-For gives it no second budget', async () => {
    const w = await at.enter()
    const from = somewhere()
    const b = anyone(w)
    await b.open(w.authorize())
    for (let batch = 0; batch < 10; batch++) {
      await parallel(10, (index) => {
        const guess = b.clone()
        guess.headers['x-forwarded-for'] = `${somewhere()}, 2001:db8::${index}, ${from}`
        return guess.submit({ username: `nobody-${batch}-${index}`, password: 'wrong', action: 'continue' })
      })
    }
    b.headers['x-forwarded-for'] = `${somewhere()}, ${from}`
    const answer = await b.submit({ username: someone(), password: 'wrong', action: 'continue' })
    expect(answer.status).toBe(429)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    b.headers['x-forwarded-for'] = `${from}, ${somewhere()}`
    expect((await b.submit({ username: someone(), password: 'wrong', action: 'continue' })).status).toBe(422)
  })

  it('TH-9: right passwords with wrong second factors clear neither count', async () => {
    const w = await at.enter()
    const username = someone()
    await w.add(username)
    const { secret } = await register(w, anyone(w), username)
    for (let guess = 0; guess < 9; guess++) await wrongPassword(w, username, `wrong ${guess}`)
    for (let guess = 0; guess < 3; guess++) {
      const b = anyone(w)
      await walk(w, b, username, 1)
      expect((await b.submit({ code: wrongCode(secret, w.clock.now()), action: 'continue' })).status).toBe(422)
    }
    expect((await wrongPassword(w, username, 'the tenth')).status).toBe(422)
    expect((await wrongPassword(w, username, 'the eleventh')).status).toBe(429)
  })

  it('EM-1, TH-10: unknown, known, disabled, without a password, without an address, imported: one answer, before and after the limit', async () => {
    const w = await at.enter()
    const kinds: Record<string, object | undefined> = {
      unknown: undefined,
      known: {},
      disabled: { disabled: true },
      'without a password': { password: undefined },
      'without an address': { email: undefined, emailVerified: false },
      unverified: { emailVerified: false },
      administrator: { groups: ['admins'] },
      // A hash of a lower cost from elsewhere.
      imported: { password: { hash: '$2b$04$abcdefghijklmnopqrstuuK1Yy2Fb0VJQ8YbC0yJ9nSvd3cXDTS6e', changedAt: 0 } },
    }
    const seen: Record<string, object[]> = {}
    for (const [kind, more] of Object.entries(kinds)) {
      const username = someone()
      if (more) await w.add(username, more)
      const shapes: object[] = []
      for (let guess = 0; guess < 12; guess++) {
        const from = `10.9.${guess}.${Object.keys(seen).length}`
        shapes.push(shape(await wrongPassword(w, username, `wrong ${guess}`, from), username))
      }
      seen[kind] = shapes
    }
    const { unknown, ...others } = seen
    for (const [kind, shapes] of Object.entries(others)) {
      for (const [index, one] of shapes.entries()) expect([kind, index, one]).toEqual([kind, index, unknown?.[index]])
    }
    expect(unknown?.[0]).toMatchObject({ status: 422 })
    expect(unknown?.[11]).toMatchObject({ status: 429 })
  })

  it('EM-1: the right password of a disabled account is answered, and counted, as a wrong one', async () => {
    const w = await at.enter()
    const username = someone()
    await w.add(username, { disabled: true })
    const answers: number[] = []
    for (let guess = 0; guess < 16; guess++) {
      const password = guess % 2 === 0 ? passwordOf(username) : `wrong ${guess}`
      answers.push((await wrongPassword(w, username, password)).status)
    }
    const other = someone()
    await w.add(other)
    const expected: number[] = []
    for (let guess = 0; guess < 16; guess++) {
      expected.push((await wrongPassword(w, other, guess % 2 === 0 ? 'the same' : `wrong ${guess}`)).status)
    }
    expect(answers).toEqual(expected)
    expect(await w.store.accounts.find((await w.account(username)).id)).toMatchObject({ disabled: true, browsers: [] })
  })
})
