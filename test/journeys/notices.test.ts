// Notices: to every address, in the owner's language, once; and the link "this was not me", which opens without effect.
import { createHash } from 'node:crypto'
import { expect, it } from '@jest/globals'
import { anyone, arena, back, errorOf, leaked, parallel, silently, someone, walk } from '../attacks/attacker.ts'
import { hooked } from '../attacks/hooked.ts'
import { eachStore } from '../stores.ts'
import { passwordOf, type World } from '../world.ts'
import { totpCode } from '../authenticator.ts'
import {
  byApp,
  byCode,
  byMail,
  choose,
  enter,
  forgot,
  gates,
  mailsTo,
  named,
  newPassword,
  notMeLink,
  opens,
  type Owner,
  owner,
} from './owner.ts'
import { at } from './steps.ts'

const DAY = 86_400_000
const host = { issueRefreshToken: async () => true, expiresWithSession: async () => false }
const to = ({ username }: { username: string }): string => `${username}@example.org`

/** Everything that was under way is sent: what follows can only be a second time. */
const settled = async (w: World): Promise<void> => {
  for (let quiet = 0; quiet < 5; ) {
    await new Promise((done) => setTimeout(done, 10))
    const left = await w.store.mails.size()
    quiet = left === 0 ? quiet + 1 : 0
  }
}

const subjects = async (w: World, address: string): Promise<string[]> => {
  await settled(w)
  return (await mailsTo(w, address)).map(({ subject }) => subject)
}

async function reset(w: World, who: Owner): Promise<string> {
  const b = anyone(w)
  const password = newPassword()
  await gates(w, b, who)
  await choose(b, password)
  expect(at(b)).toBe('changed')
  return password
}

eachStore('notices', (database) => {
  const here = arena(database)

  it('RS-17: a reset is told to every address, once each, in the language of the account, with a link of its own', async () => {
    const w = await here.enter()
    const username = someone()
    const second = `${username}@second.example`
    const who = await owner(w, username, { addresses: [to({ username }), second], language: 'zh-TW' })
    await reset(w, who)
    const links = await Promise.all([to(who), second].map((address) => notMeLink(w, address, /密碼/)))
    expect(new Set(links).size).toBe(2)
    expect(links.every((link) => link.startsWith(`${w.issuer}/self-service/not-me/`))).toBe(true)
    for (const address of [to(who), second]) {
      const told = await subjects(w, address)
      expect(told.filter((subject) => /密碼/.test(subject))).toHaveLength(1)
    }
  })

  it('RS-1, RS-2: links are long, all different and speak of nobody; what the store keeps of them opens nothing', async () => {
    const w = await here.enter()
    const people = await Promise.all(Array.from({ length: 8 }, () => owner(w, someone())))
    for (const who of people) await reset(w, who)
    const links = await Promise.all(people.map((who) => notMeLink(w, to(who), /was reset/)))
    const tokens = links.map((link) => link.split('/').at(-1) ?? '')
    expect(new Set(tokens).size).toBe(people.length)
    const dump = await here.dump()
    for (const [index, token] of tokens.entries()) {
      expect(token).toMatch(/^[\w-]{43}$/)
      const decoded = Buffer.from(token, 'base64url').toString('latin1')
      expect(decoded).not.toContain(people[index]?.username)
      expect(decoded).not.toContain(people[index]?.id)
      expect(dump).not.toContain(token)
      const kept = createHash('sha256').update(token).digest('base64url')
      expect(dump).toContain(kept)
      const opened = await anyone(w).open(`${w.issuer}/self-service/not-me/${kept}`)
      expect(opened.status).toBe(410)
    }
  })

  it('RS-17: an address that nobody vouched for, or of an account that asked for none, hears nothing', async () => {
    const w = await here.enter()
    const unproven = await owner(w, someone(), { emailVerified: false, methods: ['totp', 'recovery-codes'] })
    await reset(w, unproven)
    expect(await subjects(w, to(unproven))).toEqual([])
    w.policy.notify.user = false
    const silent = await owner(w, someone())
    await reset(w, silent)
    expect((await subjects(w, to(silent))).filter((subject) => /was reset/.test(subject))).toEqual([])
  })

  it('RS-17: change, unlock and a spent recovery code are told', async () => {
    const w = await here.enter()
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await b.open(w.authorize())
    await b.submit({ username: who.username, password: passwordOf(who.username), action: 'continue' })
    expect(leaked(await byCode(b, who))).toBe(true)
    await b.open(`${w.issuer}/change-password`)
    await b.submit({ password: passwordOf(who.username), action: 'continue' })
    await choose(b, newPassword())
    const c = anyone(w)
    await forgot(w, c)
    await named(c, who.username, 'unlock')
    await byApp(w, c, who)
    await byMail(w, c, who)
    expect(at(c)).toBe('changed')
    await mailsTo(w, to(who), 4)
    const told = await subjects(w, to(who))
    const count = (subject: RegExp): number => told.filter((one) => subject.test(one)).length
    expect([count(/recovery code .* was used/), count(/was changed/), count(/was unlocked/)]).toEqual([1, 1, 1])
  })

  it("RS-17: an administrator's reset is told to the other administrators who can be told, once each", async () => {
    const w = await here.enter()
    const admin = { groups: ['admins'] }
    const who = await owner(w, someone(), admin)
    const [one, two, off, user] = [
      await owner(w, someone(), admin),
      await owner(w, someone(), admin),
      await owner(w, someone(), { ...admin, disabled: true }),
      await owner(w, someone()),
    ]
    await reset(w, who)
    await mailsTo(w, to(two), 1)
    await settled(w)
    const told = async (other: Owner): Promise<number> =>
      (await subjects(w, to(other))).filter((subject) => /administrator/.test(subject)).length
    expect(await Promise.all([one, two, off, user].map(told))).toEqual([1, 1, 0, 0])
    w.policy.notify.admins = false
    await reset(w, one)
    await notMeLink(w, to(one), /was reset/)
    expect(await told(two)).toBe(1)
  })

  it('RS-17: told once, also when another process, or the next one, finds the events again', async () => {
    const w = await here.enter()
    const admin = { groups: ['admins'] }
    const [who, colleague] = [await owner(w, someone(), admin), await owner(w, someone(), admin)]
    await reset(w, who)
    await notMeLink(w, to(who), /was reset/)
    await mailsTo(w, to(colleague), 1)
    await settled(w)
    const left = await w.account(who.username)
    expect(left.outbox.map(({ kind }) => kind)).toContain('password.reset')
    // A later process: it remembers nothing of what this one delivered.
    w.clock.tick(11_000)
    const next = await here.enter({ clock: w.clock })
    for (let tries = 0; tries < 500; tries++) {
      if ((await next.account(who.username)).outbox.length === 0) break
      await new Promise((done) => setTimeout(done, 5))
    }
    expect((await next.account(who.username)).outbox).toEqual([])
    await settled(next)
    const about = next.outbox.mails().filter(
      // What other tests' administrators are told of each other is not this one's.
      (mail) => mail.text.includes(who.username) || (mail.to === to(who) && !/administrator/.test(mail.subject)),
    )
    const again = about.map(({ subject }) => subject)
    expect(again).toEqual([])
    const events = await next.store.audit.query({ accountId: who.id, kind: 'password.reset' }, 10)
    expect(events).toHaveLength(1)
  })

  it('RS-17: a process that dies between the change and the notices leaves both to the next one', async () => {
    const broken = { down: false }
    const dying = hooked(here.store(), async (call) => {
      if (broken.down && /^(audit|mails|claims)\./.test(call)) throw new Error('the process dies here')
    })
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
    const w = await here.enter({ store: dying, options: { log } })
    const [who, b] = [await owner(w, someone()), anyone(w)]
    await gates(w, b, who)
    const password = newPassword()
    broken.down = true
    await choose(b, password)
    w.clock.tick(11_000)
    const next = await here.enter({ clock: w.clock })
    await notMeLink(next, to(who), /was reset/)
    expect((await subjects(next, to(who))).filter((subject) => /was reset/.test(subject))).toHaveLength(1)
    expect(await opens(next, who, password)).toBe(true)
    broken.down = false
  })

  it('RS-5: opened by scanners, any number of times and in any way, the link changes nothing; then its owner uses it', async () => {
    const w = await here.enterTwo({ host })
    const [who, b] = [await owner(w, someone()), anyone(w)]
    const password = await reset(w, who)
    const signedIn = await enter(w, b, who, { password })
    const tokens = await w.exchange(signedIn)
    const link = await notMeLink(w, to(who), /was reset/)
    const before = await w.account(who.username)
    const scanner = w.browser()
    for (const method of ['GET', 'HEAD', 'GET', 'HEAD', 'OPTIONS', 'GET', 'HEAD', 'GET', 'HEAD', 'GET', 'HEAD']) {
      const answer = await scanner.request(link, { method })
      if (method !== 'OPTIONS') expect([method, answer.status]).toEqual([method, 200])
    }
    expect(await w.account(who.username)).toEqual(before)
    expect(leaked(await silently(w, b))).toBe(true)

    const human = anyone(w)
    await human.open(link)
    expect(human.now?.html).toContain('value="continue"')
    const foreign = await human.request(link, {
      form: { action: 'continue' },
      headers: { origin: 'https://evil.example' },
    })
    expect(foreign.status).toBe(403)
    expect(await w.account(who.username)).toEqual(before)

    const clicks = await parallel(20, () => human.clone().submit({ action: 'continue' }))
    expect(clicks.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(clicks.filter(({ status }) => status === 410)).toHaveLength(19)
    const after = await w.account(who.username)
    expect([after.epoch, typeof after.frozen?.at]).toEqual([before.epoch + 1, 'number'])
    expect(errorOf(await silently(w, b))).toBe('login_required')
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
    expect((await back(w, '/token', refresh))['error']).toBe('invalid_grant')
    await human.open(link)
    expect(at(human)).toBe('error !link_over')
    // It reverts nothing by itself.
    expect(await opens(w, who, password)).toBe(true)
  })

  it('the link is good for seven days, and a guessed one for none', async () => {
    const w = await here.enter()
    const who = await owner(w, someone())
    await reset(w, who)
    const link = await notMeLink(w, to(who), /was reset/)
    const b = anyone(w)
    w.clock.tick(7 * DAY - 120_000)
    await b.open(link)
    expect(at(b)).toBe('message')
    w.clock.tick(120_000)
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('error !link_over')
    expect((await w.account(who.username)).frozen).toBeUndefined()
    for (const token of ['x'.repeat(43), `${link.slice(-43, -1)}A`, '..%2f..', '%00', 'x'.repeat(2000)]) {
      const answer = await b.request(`${w.issuer}/self-service/not-me/${token}`)
      expect([404, 410]).toContain(answer.status)
    }
  })

  it('frozen: change, reset and registration are closed to what is younger; an older proof, or an administrator, thaws', async () => {
    const w = await here.enter()
    const who = await owner(w, someone())
    const password = await reset(w, who)
    const link = await notMeLink(w, to(who), /was reset/)
    // What the attacker registered after the change, in the same account.
    const stolen = await w.account(who.username)
    const younger = stolen.credentials.map((one) => ({ ...one, addedAt: w.clock.now() }))
    const human = anyone(w)
    await human.open(link)
    await human.submit({ action: 'continue' })
    const frozen = await w.account(who.username)
    await w.store.accounts.replace({ ...frozen, credentials: younger, version: frozen.version + 1 }, frozen.version)
    const attacker = anyone(w)
    expect(leaked(await enter(w, attacker, who, { password }))).toBe(true)
    await attacker.open(`${w.issuer}/change-password`)
    await attacker.submit({ password, action: 'continue' })
    await choose(attacker, newPassword())
    expect(at(attacker)).toBe('error !changes_frozen')
    const again = anyone(w)
    await gates(w, again, who)
    await choose(again, newPassword())
    expect(at(again)).toBe('error !changes_frozen')
    expect((await w.account(who.username)).frozen).toBeDefined()
    expect(await opens(w, who, password)).toBe(true)

    // The owner's own, older ones.
    const closed = await w.account(who.username)
    await w.store.accounts.replace(
      { ...closed, credentials: stolen.credentials, version: closed.version + 1 },
      closed.version,
    )
    const mine = newPassword()
    const owners = anyone(w)
    w.clock.tick(3_600_000)
    await gates(w, owners, who)
    await choose(owners, mine)
    expect(at(owners)).toBe('changed')
    expect((await w.account(who.username)).frozen).toBeUndefined()
    expect(await opens(w, who, mine)).toBe(true)
  })

  it('frozen: nothing can be registered with the password alone; an older proof at sign-in thaws', async () => {
    const w = await here.enter()
    const username = someone()
    await w.add(username, { frozen: { at: Date.now() } })
    const b = anyone(w)
    await walk(w, b, username, 3)
    expect(at(b)).toBe('error !changes_frozen')
    expect((await w.account(username)).credentials).toEqual([])

    const who = await owner(w, someone(), { frozen: { at: Date.now() } })
    expect(leaked(await enter(w, anyone(w), who))).toBe(true)
    expect((await w.account(who.username)).frozen).toBeUndefined()
    const byAdministrator = await owner(w, someone(), { frozen: { at: 5 } })
    const account = await w.account(byAdministrator.username)
    const { frozen: _thawed, ...rest } = account
    await w.store.accounts.replace({ ...rest, version: account.version + 1 }, account.version)
    const c = anyone(w)
    await gates(w, c, byAdministrator)
    await choose(c, newPassword())
    expect(at(c)).toBe('changed')
  })

  it('two links: the older denial counts, and what came between them is no older proof', async () => {
    const w = await here.enter()
    const who = await owner(w, someone())
    await reset(w, who)
    const first = await notMeLink(w, to(who), /was reset/)
    w.clock.tick(60_000)
    const between = w.clock.now()
    w.clock.tick(60_000)
    const password = await reset(w, who)
    let second = first
    while (second === first) {
      await new Promise((done) => setTimeout(done, 5))
      second = await notMeLink(w, to(who), /was reset/)
    }
    const b = anyone(w)
    for (const link of [first, second]) {
      await b.open(link)
      await b.submit({ action: 'continue' })
      expect(at(b)).toBe('message')
    }
    const account = await w.account(who.username)
    expect(account.frozen?.at).toBeLessThan(between)
    const planted = account.credentials.map((one) => ({ ...one, addedAt: between }))
    await w.store.accounts.replace({ ...account, credentials: planted, version: account.version + 1 }, account.version)
    const attacker = anyone(w)
    await enter(w, attacker, who, { password })
    expect((await w.account(who.username)).frozen).toBeDefined()
  })

  it('DB-1: a store that fails while the button is pressed leaves a link that still works', async () => {
    const fault = { at: '' }
    const failing = hooked(here.store(), async (call) => {
      if (call === fault.at) throw new Error('the store is down')
    })
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
    const w = await here.enter({ store: failing, options: { log } })
    for (const call of ['accounts.find', 'accounts.replace', 'claims.swap']) {
      const who = await owner(w, someone())
      await reset(w, who)
      const link = await notMeLink(w, to(who), /was reset/)
      await settled(w)
      const b = anyone(w)
      await b.open(link)
      fault.at = call
      expect((await b.clone().submit({ action: 'continue' })).status).toBeGreaterThanOrEqual(500)
      fault.at = ''
      await b.submit({ action: 'continue' })
      expect([call, at(b)]).toEqual([call, 'message'])
      expect((await w.account(who.username)).frozen).toBeDefined()
    }
  })

  it('RS-11: the link leads to the issuer, whatever the request that caused it says', async () => {
    const w = await here.enter()
    const variants: Record<string, string>[] = [
      { 'x-forwarded-host': 'evil.example' },
      { 'x-forwarded-proto': 'https' },
      { 'x-forwarded-port': '666' },
      { forwarded: 'host=evil.example;proto=https' },
      { 'x-host': 'evil.example' },
      { 'x-original-url': 'https://evil.example/' },
      { referer: 'https://evil.example/' },
    ]
    for (const headers of variants) {
      const [who, b] = [await owner(w, someone()), anyone(w)]
      await gates(w, b, who)
      Object.assign(b.headers, headers)
      await choose(b, newPassword())
      const link = await notMeLink(w, to(who), /was reset/)
      expect(new URL(link).origin).toBe(w.issuer)
      for (const { text } of await mailsTo(w, to(who))) expect(text).not.toContain('evil.example')
    }
    // Without the lock of the test: another Host is nobody's.
    const wrong = await fetch(`${w.issuer}/forgot-password`, { headers: { host: 'evil.example' }, redirect: 'manual' })
    expect(wrong.headers.get('location') ?? '').not.toContain('evil')
  })

  it('the notices hold no password, no code and nothing of the session', async () => {
    const w = await here.enter()
    const who = await owner(w, someone())
    const codes = [...who.codes]
    const password = await reset(w, who)
    await notMeLink(w, to(who), /was reset/)
    for (const { text } of await mailsTo(w, to(who))) {
      for (const secret of [
        password,
        passwordOf(who.username),
        who.secret,
        ...codes,
        totpCode(who.secret, w.clock.now()),
      ]) {
        expect(text).not.toContain(secret)
      }
    }
  })
})
