// `audit` and `users show`: what administrators see, on both stores, and what nobody sees.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { following, newest, OVERLAP } from '../../src/cli/audit-read.ts'
import { commands } from '../../src/cli/commands.ts'
import type { AuditStore } from '../../src/domain/ports.ts'
import { Unavailable } from '../../src/domain/problems.ts'
import type { AuditEvent } from '../../src/domain/types.ts'
import { eachStore } from '../stores.ts'
import { type Office, office, secrets } from './office.ts'

const DAY = Date.UTC(2026, 0, 31)
const happened = (id: string, at: number, more: Partial<AuditEvent> = {}): AuditEvent => ({
  id,
  kind: 'sign-in.completed',
  outcome: 'success',
  at,
  ...more,
})
const ids = (events: readonly AuditEvent[]): string[] => events.map(({ id }) => id)

eachStore('the audit trail', (database) => {
  let at: Office
  beforeAll(async () => {
    at = await office(await database())
  })
  afterAll(() => at.close())
  const json = async (...args: string[]): Promise<AuditEvent[]> =>
    (await at.cli('audit', '--json', ...args)).out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))

  it('prints, filters by account, kind and time, and stops at the newest', async () => {
    const ann = await at.hire('ann')
    await at.store.audit.append([
      happened('a1', DAY - 1, { accountId: ann.id }),
      happened('a2', DAY, { accountId: ann.id, kind: 'reset.gate', outcome: 'failure', reason: 'wrong_code' }),
      happened('a3', DAY + 86_399_999, { accountId: 'other', detail: { old: 1 } }),
      happened('a4', DAY + 86_400_000, { accountId: ann.id }),
    ])
    expect(ids(await json())).toEqual(['a1', 'a2', 'a3', 'a4'])
    expect(ids(await json('--username', 'ANN'))).toEqual(['a1', 'a2', 'a4'])
    expect(ids(await json('--account', 'other'))).toEqual(['a3'])
    expect(ids(await json('--kind', 'reset.gate'))).toEqual(['a2'])
    expect(ids(await json('--from', '2026-01-31', '--to', '2026-01-31'))).toEqual(['a2', 'a3'])
    expect(ids(await json('--from', '2026-02-01T08:00+08:00', '--all'))).toEqual(['a4'])
    expect(ids(await json('--limit', '2'))).toEqual(['a3', 'a4'])
    const { out } = await at.cli('audit', '--account', 'other')
    expect(out.split('\n')).toEqual([
      'time\tkind\toutcome\treason\taccount\tactor\taddress\tclient\tdetail',
      '2026-01-31T23:59:59.999Z\tsign-in.completed\tsuccess\t-\tother\t-\t-\t-\t{"old":1}',
    ])
    expect(await at.cli('audit', '--username', 'nobody')).toMatchObject({
      code: 1,
      err: expect.stringContaining('--account ID'),
    })
  })

  it.each([
    [['--kind', 'sign-in.complete'], 'did you mean sign-in.completed?'],
    [['--from', '2026-02-30'], '--from must be a day'],
    [['--to', 'yesterday'], '--to must be a day'],
    [['--limit', '0'], '--limit must be'],
    [['--limit', '1', '--all'], 'do not go together'],
    [['--follow', '--from', '2026-01-31'], 'do not go together'],
    [['--account', 'a', '--username', 'b'], 'do not go together'],
  ])('refuses %j', async (args, why) => {
    expect(await at.cli('audit', ...args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(why) })
  })

  it('LG-4: what users chose starts no line and no escape sequence, in either form', async () => {
    const nasty = 'a\r\nb\u001b[31m\u009b1m\u2028\u202e"\t{}'
    await at.store.audit.append([
      happened('n1', 5, { accountId: 'nasty', address: nasty, reason: nasty, detail: { nasty } }),
    ])
    const { out } = await at.cli('audit', '--account', 'nasty')
    expect(out.split(/\r|\n|\u2028/)).toHaveLength(2)
    const raw = (await at.cli('audit', '--account', 'nasty', '--json')).out
    for (const text of [out.replaceAll(/[\t\n]/g, ''), raw]) expect(text).not.toMatch(/[\p{Cc}\u2028\u202e]/u)
    expect(JSON.parse(raw)).toMatchObject({ address: nasty, detail: { nasty } })
  })

  it('LG-1: users show tells everything but secrets, as text and as JSON', async () => {
    const account = await at.hire('shown', {
      name: 'Sho\u202ewn',
      groups: ['staff', 'admins'],
      password: { hash: secrets.hash, changedAt: 0, mustChange: 'flagged' },
      frozen: { at: DAY },
      browsers: ['browser-id'],
      spent: { tag: 'secret tag', at: 1 },
    })
    const text = (await at.cli('users', 'show', 'shown')).out
    const told = (await at.cli('users', 'show', 'SHOWN', '--json')).out
    const all = [text, told, (await at.cli('users', 'list')).out, (await at.cli('audit')).out]
    for (const one of all) {
      for (const secret of [...Object.values(secrets), 'secret tag', 'browser-id']) expect(one).not.toContain(secret)
      expect(one).not.toContain('\u202e')
    }
    expect(JSON.parse(told)).toMatchObject({
      id: account.id,
      administrator: true,
      disabled: false,
      password: { changedAt: '1970-01-01T00:00:00.000Z', mustChange: 'flagged' },
      registered: true,
      missing: [],
      frozenSince: '2026-01-31T00:00:00.000Z',
      knownBrowsers: 1,
      methods: [
        {
          id: 'c1',
          method: 'totp',
          label: 'Phone',
          addedAt: '1970-01-01T00:00:00.005Z',
          lastUsedAt: null,
          disabled: false,
        },
        { id: 'c2', method: 'recovery-codes', label: '' },
      ],
    })
    expect(text).toContain('password        set 1970-01-01T00:00:00.000Z, must be changed (flagged)')
    expect(text).toContain('  totp\tPhone\tadded 1970-01-01T00:00:00.005Z\tnever used')
    expect(await at.cli('users', 'show', 'nobody')).toEqual({ code: 1, out: '', err: 'There is no account "nobody".' })
  })
})

eachStore('following the audit trail', (database) => {
  /** A clock that looks when told to. */
  function watch(audit: AuditStore, filter = {}, before = 0) {
    let now = DAY
    const looks: { resolve: (go: boolean) => void }[] = []
    const failures: unknown[] = []
    const clock = {
      now: () => now,
      next: () => new Promise<boolean>((resolve) => looks.push({ resolve })),
      failed: (error: unknown) => failures.push(error),
    }
    const shown: string[] = []
    const over = (async () => {
      for await (const event of following(audit, filter, clock, before)) shown.push(event.id)
    })()
    const ready = async (): Promise<void> => {
      while (looks.length === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    return {
      shown,
      failures,
      ready,
      async look(later = 1000) {
        await ready()
        now += later
        looks.shift()?.resolve(true)
        await ready()
      },
      async end() {
        await ready()
        looks.shift()?.resolve(false)
        await over
      },
    }
  }

  it('shows each event once, those that arrive late and with the same time too, and nothing from before', async () => {
    const store = await (await database()).open()
    await store.audit.append([happened('old', DAY - 5), happened('older', DAY - OVERLAP - 5)])
    const seen = watch(store.audit)
    await seen.look()
    expect(seen.shown).toEqual([])
    await store.audit.append([happened('m', DAY + 10), happened('z', DAY + 10)])
    await seen.look()
    await store.audit.append([happened('a', DAY + 10), happened('late', DAY - 60_000), happened('m', DAY + 10)])
    await seen.look()
    await seen.look()
    expect(seen.shown).toEqual(['m', 'z', 'late', 'a'])
    for (let minute = 0; minute < 5; minute++) await seen.look(60_000)
    await store.audit.append([happened('next', DAY + 300_000)])
    await seen.look()
    await seen.end()
    expect(seen.shown).toEqual(['m', 'z', 'late', 'a', 'next'])
  })

  it('looks that fail lose nothing, and what was held up meanwhile is shown', async () => {
    const store = await (await database()).open()
    let away = false
    const audit: AuditStore = {
      ...store.audit,
      query: async (filter, limit) => {
        if (away) throw new Unavailable('unavailable', 'away')
        return store.audit.query(filter, limit)
      },
    }
    const seen = watch(audit)
    await seen.ready()
    away = true
    for (let minute = 0; minute < 10; minute++) await seen.look(60_000)
    expect(seen.failures).toHaveLength(10)
    away = false
    await seen.look()
    await store.audit.append([happened('held up', DAY + 1000)])
    await seen.look()
    await seen.end()
    expect(seen.shown).toEqual(['held up'])
  })

  it('begins with the newest when asked, and filters; more than a page is no limit', async () => {
    const store = await (await database()).open()
    const many = Array.from({ length: 1200 }, (_, index) => happened(`e${10_000 + index}`, DAY - 1200 + index))
    await store.audit.append([...many, happened('other', DAY, { kind: 'reset.gate' })])
    expect(ids(await newest(store.audit, {}, 700, DAY))).toEqual(ids([...many, happened('other', DAY)].slice(-700)))
    expect(ids(await newest(store.audit, {}, 5000, DAY + 1e12))).toHaveLength(1201)
    const seen = watch(store.audit, { kind: 'sign-in.completed' }, 3)
    await seen.ready()
    expect(seen.shown).toEqual(['e11197', 'e11198', 'e11199'])
    const more = Array.from({ length: 1100 }, (_, index) => happened(`f${10_000 + index}`, DAY + 7))
    await store.audit.append([...more, happened('another', DAY + 8, { kind: 'reset.gate' })])
    await seen.look()
    await seen.end()
    expect(seen.shown.slice(3)).toEqual(ids(more))
  })
})

eachStore('the audit command as a process', (database, name) => {
  let child: ChildProcess | undefined
  afterAll(() => void child?.kill('SIGKILL'))

  const onSqlite = name === 'SQLite' ? it : it.skip
  onSqlite('follows until SIGINT, and then ends well', async () => {
    const at = await office(await database())
    await at.hire('live')
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
    const args = [main, 'audit', '--follow', '--json', '--config', at.config]
    child = spawn(process.execPath, args, { env: { ...process.env, ...at.env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const exit = once(child, 'exit')
    const [out, err] = [child.stdout, child.stderr].map((input) => createInterface({ input: input as never }))
    const first = once(out as never, 'line')
    expect(await once(err as never, 'line')).toEqual(['Following the trail; Ctrl-C ends it.'])
    await at.cli('users', 'disable', 'live')
    expect(JSON.parse(String((await first)[0]))).toMatchObject({ kind: 'account.disabled', actor: 'cli:root' })
    child.kill('SIGINT')
    expect(await exit).toEqual([0, null])
    await at.close()
  })
})

describe('CH-8: the inventory of commands', () => {
  const options = ({ line, more = '' }: { line: string; more?: string }): string[] =>
    [...new Set(`${line} ${more}`.match(/--[a-z-]+/g))].filter((option) => option !== '--config').sort()

  it('is known, option by option: a new one is looked at here', () => {
    expect(Object.fromEntries(Object.entries(commands).map(([name, { usage }]) => [name, options(usage)]))).toEqual({
      demo: ['--data', '--port', '--rp-port'],
      serve: [],
      'config check': [],
      'users import': [],
      'users add': ['--email', '--group', '--name', '--username'],
      'users list': ['--after', '--json', '--limit'],
      'users show': ['--json'],
      'users update': ['--email', '--group', '--name', '--no-group', '--username', '--verified'],
      'users delete': ['--yes'],
      'users disable': [],
      'users enable': [],
      'users unlock': ['--thaw'],
      'users invite': [],
      'users require-change': [],
      'users require-registration': ['--yes'],
      'users revoke-sessions': [],
      audit: ['--account', '--all', '--follow', '--from', '--json', '--kind', '--limit', '--to', '--username'],
    })
  })

  const ofUsers = Object.keys(commands).filter((name) => name.startsWith('users ') || name === 'audit')
  it.each(ofUsers)('%s takes no password and no factor', async (name) => {
    const words = [
      'password',
      'password-hash',
      'hash',
      'passwordHash',
      'secret',
      'seed',
      'totp',
      'code',
      'credential',
      'factor',
    ]
    for (const word of words) {
      const err: string[] = []
      const io = { out: () => undefined, err: (text: string) => void err.push(text), env: {}, node: '24.0.0' }
      const { main } = await import('../../src/cli/main.ts')
      expect(await main([...name.split(' '), `--${word}`, 'x', '--config', 'nowhere.yaml'], io)).toBe(2)
      expect(err.join('\n')).toContain(`Unknown option '--${word}'`)
    }
  })
})
