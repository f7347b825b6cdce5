// A hundred wrong passwords in a row close an account to unknown browsers: its owner hears of it, once for each time it closes.
import { expect, it } from '@jest/globals'
import { budgets } from '../../src/domain/budget.ts'
import { type Browser, marks, type Response } from '../browser.ts'
import { byApp, byCode, enter, forgot, mailsTo, named, owner } from '../journeys/owner.ts'
import { at } from '../journeys/steps.ts'
import { eachStore } from '../stores.ts'
import { passwordOf, type World } from '../world.ts'
import { anyone, arena, leaked, parallel, someone } from './attacker.ts'

const QUARTER = 15 * 60_000
const LIMIT = budgets.password.streak.limit

const guess = async (w: World, username: string, password: string, b: Browser = anyone(w)): Promise<Response> => {
  await b.open(w.authorize())
  return b.submit({ username, password, action: 'continue' })
}

/** Wrong passwords in a row, each after the longest wait, from everywhere. */
async function wrong(w: World, username: string, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    expect((await guess(w, username, `${username} wrong ${count}`)).status).toBe(422)
    w.clock.tick(QUARTER)
  }
}

/** The same, straight in the store: the walk to the hundredth takes a day. */
async function spent(w: World, { id }: { id: string }, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    const admission = await w.store.budgets.admit(`password:${id}`, budgets.password, w.clock.now(), `${count}`)
    expect(admission).toEqual({ admitted: true, inRow: count + 1 })
    w.clock.tick(QUARTER)
  }
}

const flood = async (w: World, username: string, word: string): Promise<Response[]> => {
  const browsers = await parallel(200, async () => {
    const b = anyone(w)
    await b.open(w.authorize())
    return b
  })
  return Promise.all(
    browsers.map((b, index) => b.submit({ username, password: `${word} ${index}`, action: 'continue' })),
  )
}

const told = async (w: World, username: string) => {
  // Mails leave after the response: long enough for a second one.
  for (let quiet = 0; quiet < 5; quiet = (await w.store.mails.size()) === 0 ? quiet + 1 : 0) {
    await new Promise((done) => setTimeout(done, 10))
  }
  return (await mailsTo(w, `${username}@example.org`)).filter(({ subject }) => /Too many wrong/.test(subject))
}

const events = async (w: World, username: string) =>
  w.store.audit.query({ kind: 'sign-in.locked', accountId: (await w.account(username)).id }, 10)

const count = (answers: readonly Response[], status: number): number =>
  answers.filter((answer) => answer.status === status).length

eachStore('an account closed by wrong passwords', (database) => {
  const here = arena(database)

  it('RS-17, TH-7: two hundred at once, in two processes, behind the 99th: one is compared, one mail, one event', async () => {
    const w = await here.enterTwo()
    const [who, home] = [await owner(w, someone()), anyone(w)]
    expect(leaked(await enter(w, home, who))).toBe(true)
    await spent(w, who, LIMIT - 1)
    expect(await told(w, who.username)).toEqual([])
    const before = await w.account(who.username)
    const answers = await flood(w, who.username, 'first')
    expect([count(answers, 422), count(answers, 429)]).toEqual([1, 199])
    const [mail, ...more] = await told(w, who.username)
    expect(more).toEqual([])
    expect(mail?.text).toContain('a hundred times in a row')
    // Whoever knows a name can bring this mail about: it changed nothing, so there is nothing to deny.
    expect(mail?.text).not.toContain('/not-me/')
    expect(await events(w, who.username)).toMatchObject([{ outcome: 'success', reason: 'too_many_passwords' }])
    const after = await w.account(who.username)
    expect([after.version, after.epoch, after.password]).toEqual([before.version + 1, before.epoch, before.password])

    // From here on nothing is compared, however long it waits, and what is refused writes nothing on the account.
    w.clock.tick(QUARTER)
    expect(count(await flood(w, who.username, 'second'), 429)).toBe(200)
    expect((await guess(w, who.username, passwordOf(who.username))).status).toBe(429)
    expect((await w.account(who.username)).version).toBe(after.version)
    expect([await told(w, who.username), await events(w, who.username)]).toMatchObject([{ length: 1 }, { length: 1 }])

    // TH-3: a browser that is known still signs in, and opens the account with it.
    home.cookies = home.cookies.filter(({ name }) => !name.startsWith('_session'))
    expect(leaked(await enter(w, home, who))).toBe(true)
  })

  it('RS-17: opened by its owner and closed again: told again', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await spent(w, who, LIMIT - 1)
    await guess(w, who.username, 'the last')
    expect(await told(w, who.username)).toHaveLength(1)
    await forgot(w, b)
    await named(b, who.username, 'unlock')
    await byApp(w, b, who)
    await byCode(b, who)
    expect(at(b)).toBe('changed')
    await spent(w, who, LIMIT - 1)
    await guess(w, who.username, 'the last again')
    expect(await told(w, who.username)).toHaveLength(2)
    expect(await events(w, who.username)).toHaveLength(2)
  })

  it('EM-1, EM-3: known, disabled and unknown names are answered alike; the waits, and a known browser, send nothing', async () => {
    const w = await here.enter()
    const [known, disabled, unknown] = [
      await owner(w, someone()),
      await owner(w, someone(), { disabled: true }),
      someone(),
    ]
    const home = anyone(w)
    await enter(w, home, known)
    for (let mistyped = 0; mistyped < 10; mistyped++) {
      home.cookies = home.cookies.filter(({ name }) => !name.startsWith('_session'))
      expect((await guess(w, known.username, `mistyped ${mistyped}`, home)).status).toBe(422)
    }
    expect(await told(w, known.username)).toEqual([])
    const seen: object[] = []
    for (const username of [known.username, disabled.username, unknown]) {
      await wrong(w, username, LIMIT - 1)
      const answers = [await guess(w, username, 'the last'), await guess(w, username, 'one more')]
      seen.push(
        answers.map(({ status, headers, html }) => ({
          status,
          headers: [...headers.keys()].filter((name) => name !== 'content-length').toSorted(),
          marks: marks(html),
        })),
      )
    }
    expect(seen[0]).toMatchObject([{ status: 422 }, { status: 429 }])
    expect([seen[1], seen[2]]).toEqual([seen[0], seen[0]])
    expect(await told(w, known.username)).toHaveLength(1)
    expect(await told(w, disabled.username)).toEqual([])
    // The trail has all three; of the name that nobody has it knows no account.
    const all = await w.store.audit.query({ kind: 'sign-in.locked' }, 100)
    expect(all.filter(({ accountId }) => accountId === undefined)).toHaveLength(1)
    expect(await events(w, disabled.username)).toHaveLength(1)
  })
})
