// The attacker owns the mailbox, then the password too, and walks the reset in any order, replaying pages of other walks.
import { randomInt } from 'node:crypto'
import { expect, it } from '@jest/globals'
import type { Account } from '../../src/domain/types.ts'
import { totpCode } from '../authenticator.ts'
import { type Browser, type Response } from '../browser.ts'
import { byMail, choose, forgot, gates, named, newPassword, opens, type Owner, owner } from '../journeys/owner.ts'
import { at } from '../journeys/steps.ts'
import { eachStore } from '../stores.ts'
import { passwordOf, type World } from '../world.ts'
import { anyone, arena, leaked, someone, somewhere } from './attacker.ts'

/** Reproducible: the seed stands in the failure. */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

interface Knowing {
  w: World
  victim: Owner
  own: Owner
  password: boolean
}

/** One thing that this attacker can do next. */
function moves({ w, victim, own, password }: Knowing, b: Browser, roll: (sides: number) => number) {
  const mailed = (to: string): string => {
    const mail = w.outbox.mails().findLast((one) => one.to === to && /\b\d{4}\s?\d{4}\b/.test(one.text))
    return (/\b(\d{4}\s?\d{4})\b/.exec(mail?.text ?? '')?.[1] ?? '00000000').replace(/\s/g, '')
  }
  const code = (text: string) => () => b.submit({ code: text, action: 'continue' })
  const name = (who: Owner) => () => named(b, who.username, roll(4) === 0 ? 'unlock' : 'continue')
  const methods = ['totp', 'email', 'recovery-codes', 'sms', 'password', 'decoy:totp']
  return [
    () => forgot(w, b),
    () => b.open(`${w.issuer}/forgot-password`),
    () => b.open(`${w.issuer}/change-password`),
    () => b.open(b.now?.url ?? w.issuer),
    name(victim),
    name(victim),
    name(own),
    () => b.submit({ method: methods[roll(methods.length)] ?? '' }),
    () => b.submit({ method: 'email' }),
    () => b.submit({ method: 'email' }),
    code(mailed(`${victim.username}@example.org`)),
    code(mailed(`${victim.username}@example.org`)),
    code(mailed(`${own.username}@example.org`)),
    code(totpCode(own.secret, w.clock.now())),
    code(own.codes[roll(own.codes.length)] ?? ''),
    code('000000'),
    () => choose(b, newPassword()),
    () => choose(b, newPassword()),
    () =>
      b.submit({
        action: ['continue', 'cancel', 'restart', 'other_method', 'resend', 'skip', 'forgot'][roll(7)] ?? '',
      }),
    () => {
      w.clock.tick(61_000)
      return b.open(b.now?.url ?? w.issuer)
    },
    ...(password
      ? [
          () => b.submit({ username: victim.username, password: passwordOf(victim.username), action: 'continue' }),
          () => b.submit({ username: victim.username, password: passwordOf(victim.username), action: 'continue' }),
        ]
      : []),
  ]
}

/** An authenticator of the attacker's own: not the victim's. */
const foreign = 'KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU'

async function attack(knowing: Knowing, seed: number, length: number): Promise<void> {
  const { w, victim } = knowing
  const roll = dice(seed)
  const browsers = [anyone(w), anyone(w)]
  const pages: Response[] = []
  // The mailbox opens the first gate; the walk goes on from there.
  await forgot(w, browsers[0] as Browser)
  await named(browsers[0] as Browser, victim.username)
  await byMail(w, browsers[0] as Browser, victim)
  expect(at(browsers[0] as Browser)).toBe('choose-method')
  const before = await w.account(victim.username)
  for (let step = 0; step < length; step++) {
    const b = browsers[roll(2)] as Browser
    b.headers['x-forwarded-for'] = somewhere()
    if (!b.now) await forgot(w, b)
    // A page of an earlier moment, of any walk: its form is posted again, under this browser's cookies.
    if (roll(8) === 0 && pages.length > 0) b.now = pages[roll(pages.length)] as Response
    const possible = moves(knowing, b, roll)
    const answer = await (possible[roll(possible.length)] as () => Promise<Response>)()
    if (answer.url.startsWith(`${w.issuer}/interaction/`)) pages.push(answer)
    else if (leaked(answer)) {
      const { claims } = await w.exchange(answer)
      expect([seed, step, claims['sub']]).not.toEqual([seed, step, victim.id])
      b.now = undefined
    }
    if (answer.status >= 500) throw new Error(`seed ${seed}, step ${step}: ${answer.status}`)
  }
  const after = await w.account(victim.username)
  const held = ({ password, epoch, credentials, disabled, email }: Account): object => ({
    password,
    epoch,
    disabled,
    email,
    credentials: credentials.map(({ id, method, addedAt }) => ({ id, method, addedAt })),
  })
  expect([seed, held(after)]).toEqual([seed, held(before)])
}

eachStore('RS-6, RS-9: walks of a reset', (database) => {
  const here = arena(database)

  for (const password of [false, true]) {
    it(`RS-6: who owns the mailbox${password ? ' and the password' : ''} gets nowhere, in any order of steps`, async () => {
      const w = await here.enterTwo()
      for (let walk = 0; walk < 4; walk++) {
        const own = await owner(w, someone())
        const victim = await owner(w, someone())
        const account = await w.account(victim.username)
        // The victim's authenticator is another one than the attacker's.
        const { vaultFor } = await import('../../src/domain/seal.ts')
        const { createMethods } = await import('../../src/methods/index.ts')
        const app = createMethods()
          .find(({ id }) => id === 'totp')
          ?.importRow?.({ secret: foreign, label: '' }, { vault: vaultFor(w.self.keys, account.id), chance: w.clock })
        if (typeof app !== 'object') throw new Error('no authenticator')
        const credentials = account.credentials.map((one) => (one.method === 'totp' ? app : one))
        await w.store.accounts.replace({ ...account, credentials, version: account.version + 1 }, account.version)
        await attack({ w, victim, own, password }, randomInt(2 ** 31), 60)
      }
    })
  }

  it('the walks above can succeed: who also has a second thing resets', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await gates(w, b, who)
    const password = newPassword()
    await choose(b, password)
    expect(await opens(w, who, password)).toBe(true)
  })
})
