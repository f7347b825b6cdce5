// Changing an account: one conditional write, retried while the change still holds, with its events inside; a directory shines through.
import { describe, expect, it } from '@jest/globals'
import { type Accounts, accountsOver, changed, newAccount } from '../../src/domain/accounts.ts'
import { usernameKey } from '../../src/domain/codes.ts'
import { guardedDirectory } from '../../src/domain/directory.ts'
import type { AccountStore, Directory } from '../../src/domain/ports.ts'
import { Unavailable } from '../../src/domain/problems.ts'
import type { Account, AuditEvent, Person } from '../../src/domain/types.ts'
import { testChance } from './chance.ts'

/** A store that may lose rounds to "another process" before a write. */
function store(first: Account[] = []) {
  const rows = new Map(first.map((account) => [account.id, account]))
  const state = { rows, writes: 0, reads: 0 }
  const accounts: AccountStore = {
    async find(id) {
      state.reads++
      return structuredClone(rows.get(id))
    },
    async findByUsernameKey(key) {
      return structuredClone([...rows.values()].find((account) => account.usernameKey === key))
    },
    async insert(account) {
      if (rows.has(account.id)) return false
      rows.set(account.id, structuredClone(account))
      return true
    },
    async replace(account, version) {
      if (rows.get(account.id)?.version !== version) return false
      state.writes++
      rows.set(account.id, structuredClone(account))
      return true
    },
    remove: async (id, version) => rows.get(id)?.version === version && rows.delete(id),
    page: async () => [],
    withOutbox: async () => [],
  }
  const bump = (id: string, change: Partial<Account> = {}): void => {
    const account = rows.get(id)
    if (account) rows.set(id, { ...account, ...change, version: account.version + 1 })
  }
  return { ...state, state, accounts, bump }
}

const alice = (more: Partial<Account> = {}): Account => ({
  ...newAccount('alice', 0),
  username: 'Alice',
  usernameKey: usernameKey('Alice'),
  ...more,
})
const happened = (id: string): AuditEvent => ({ id, kind: 'trust-gate', outcome: 'success', at: 0 })

function over(accounts: AccountStore, directory?: Directory): { accounts: Accounts; committed: Account[] } {
  const committed: Account[] = []
  const chance = testChance()
  return {
    accounts: accountsOver({
      store: accounts,
      directory,
      usernameKey,
      chance,
      committed: (one) => committed.push(one),
    }),
    committed,
  }
}
const more = (account: Account) => changed({ ...account, grace: { ...account.grace, skips: account.grace.skips + 1 } })

describe('change', () => {
  it('writes once, raises the version, and answers what was written', async () => {
    const { accounts: rows, state } = store([alice()])
    const { accounts, committed } = over(rows)
    const written = await accounts.change(alice(), more)
    expect(written).toEqual({ ...alice(), version: 2, grace: { ...alice().grace, skips: 1 } })
    expect(state.rows.get('alice')).toEqual(written)
    expect([state.writes, state.reads, committed]).toEqual([1, 0, []])
  })

  it('LG-3: its events are in the same write, and are told after the commit', async () => {
    const { accounts: rows, state } = store([alice()])
    const { accounts, committed } = over(rows)
    await accounts.change(alice(), (account) => changed(account, happened('1'), happened('2')))
    expect(state.rows.get('alice')?.outbox.map(({ id }) => id)).toEqual(['1', '2'])
    expect(committed).toEqual([state.rows.get('alice')])
  })

  it('a problem writes nothing', async () => {
    const { accounts: rows, state } = store([alice()])
    const { accounts, committed } = over(rows)
    expect(await accounts.change(alice(), () => ({ problem: 'no_skips_left' }))).toEqual({ problem: 'no_skips_left' })
    expect([state.writes, committed]).toEqual([0, []])
  })

  it('DB-1: after a conflict it is judged anew, on the account as it is', async () => {
    const { accounts: rows, state, bump } = store([alice()])
    const seen: number[] = []
    const replace = async (account: Account, version: number): Promise<boolean> => {
      if (seen.length < 4) bump('alice', { epoch: 1 + seen.length })
      return replaceIn(state.rows, account, version)
    }
    const { accounts } = over({ ...rows, replace })
    const written = await accounts.change(alice(), (account) => {
      seen.push(account.epoch)
      return more(account)
    })
    expect(seen).toEqual([1, 2, 3, 4])
    expect(written).toMatchObject({ epoch: 4, version: 5, grace: { skips: 1 } })
  })

  it('a change that no longer holds after a conflict is refused', async () => {
    const { accounts: rows, state, bump } = store([alice()])
    const replace = async (account: Account, version: number): Promise<boolean> => {
      if (version === 1) bump('alice', { epoch: 9 })
      return replaceIn(state.rows, account, version)
    }
    const { accounts } = over({ ...rows, replace })
    const written = await accounts.change(alice(), (account) =>
      account.epoch === 1 ? more(account) : { problem: 'account_changed' },
    )
    expect(written).toEqual({ problem: 'account_changed' })
    expect(state.rows.get('alice')?.grace.skips).toBe(0)
  })

  it('an account that is gone meanwhile is a changed one', async () => {
    const { accounts: rows, state } = store([alice()])
    const replace = async (): Promise<boolean> => {
      state.rows.delete('alice')
      return false
    }
    const { accounts } = over({ ...rows, replace })
    expect(await accounts.change(alice(), more)).toEqual({ problem: 'account_changed' })
  })

  it('gives up after a while: 503, not forever', async () => {
    const { accounts: rows } = store([alice()])
    const { accounts } = over({ ...rows, replace: async () => false })
    await expect(accounts.change(alice(), more)).rejects.toMatchObject({ name: 'Unavailable', code: 'busy' })
  })

  it('a full outbox refuses, rather than lose an event', async () => {
    const full = alice({ outbox: Array.from({ length: 64 }, (_, index) => happened(String(index))) })
    const { accounts: rows, state } = store([full])
    const { accounts } = over(rows)
    await expect(accounts.change(full, (account) => changed(account, happened('65')))).rejects.toThrow(Unavailable)
    expect(state.writes).toBe(0)
  })

  it('EN-8: fifty at once in one process each count, without a lost round', async () => {
    const { accounts: rows, state } = store([alice()])
    const { accounts } = over(rows)
    await Promise.all(Array.from({ length: 50 }, () => accounts.change(alice(), more)))
    expect(state.rows.get('alice')?.grace.skips).toBe(50)
    expect(state.writes).toBe(50)
  })

  it('one that fails does not hold up those behind it, and other accounts do not wait', async () => {
    const { accounts: rows, state } = store([alice(), { ...alice(), id: 'bob', usernameKey: 'bob' }])
    const { accounts } = over(rows)
    const failed = accounts.change(alice(), () => {
      throw new Error('a broken change')
    })
    const behind = accounts.change(alice(), more)
    const other = accounts.change({ ...alice(), id: 'bob', usernameKey: 'bob' }, more)
    await expect(failed).rejects.toThrow('a broken change')
    await Promise.all([behind, other])
    expect([...state.rows.values()].map(({ grace }) => grace.skips)).toEqual([1, 1])
  })
})

async function replaceIn(rows: Map<string, Account>, account: Account, version: number): Promise<boolean> {
  if (rows.get(account.id)?.version !== version) return false
  rows.set(account.id, structuredClone(account))
  return true
}

describe('find', () => {
  it('TH-5: spellings of one name are one account', async () => {
    const { accounts } = over(store([alice()]).accounts)
    for (const name of ['alice', ' ALICE ', 'Ａlice'])
      expect(await accounts.findByUsername(name)).toMatchObject({ id: 'alice' })
    expect(await accounts.findByUsername('alicia')).toBeUndefined()
    expect(await accounts.find('nobody')).toBeUndefined()
  })
})

describe("over a host's directory", () => {
  const person: Person = {
    id: 'p1',
    username: 'Ann',
    name: 'Ann A',
    email: 'ann@example.org',
    emailVerified: true,
    groups: ['staff'],
  }
  const directoryOf = (answer: () => Person | undefined): Directory => ({
    find: async (id) => (answer()?.id === id ? answer() : undefined),
    findByUsername: async (name) => (answer()?.username.toLowerCase() === name.toLowerCase() ? answer() : undefined),
    verify: async () => true,
  })

  it('the document is made at the first look, keyed by the id alone: names belong to the directory', async () => {
    const { accounts: rows, state } = store()
    const { accounts } = over(
      rows,
      directoryOf(() => person),
    )
    const found = await accounts.findByUsername('ann')
    expect(found).toMatchObject({
      id: 'p1',
      username: 'Ann',
      name: 'Ann A',
      email: 'ann@example.org',
      groups: ['staff'],
    })
    expect(state.rows.get('p1')).toMatchObject({ usernameKey: 'directory:p1', credentials: [] })
    expect(state.rows.get('p1')).not.toHaveProperty('email')
    await accounts.change(found as Account, more)
    expect(state.rows.get('p1')).toMatchObject({ usernameKey: 'directory:p1', grace: { skips: 1 } })
  })

  it("SE-9: the directory's word counts at every look: name, groups, disabled, gone", async () => {
    const { accounts: rows } = store()
    let now: Person | undefined = person
    const { accounts } = over(
      rows,
      directoryOf(() => now),
    )
    await accounts.find('p1')
    now = { id: 'p1', username: 'Renamed', disabled: true }
    const found = await accounts.find('p1')
    expect(found).toMatchObject({ username: 'Renamed', disabled: true, groups: [], emailVerified: false })
    expect(found).not.toHaveProperty('email')
    expect(found).not.toHaveProperty('name')
    now = undefined
    expect(await accounts.find('p1')).toBeUndefined()
  })

  it('two first looks at once make one document', async () => {
    const { accounts: rows, state } = store()
    const { accounts } = over(
      rows,
      directoryOf(() => person),
    )
    const found = await Promise.all(Array.from({ length: 20 }, () => accounts.find('p1')))
    expect(new Set(found.map((one) => one?.version))).toEqual(new Set([1]))
    expect(state.rows.size).toBe(1)
  })

  it('EN-5: one that throws is unavailable, and says when to come back if it knows', async () => {
    const broken = guardedDirectory({
      find: async () => {
        throw new TypeError('LDAP')
      },
      findByUsername: () => {
        throw new Unavailable('busy', 'later', { retryAfter: 9 })
      },
      verify: async () => Promise.reject(new Error('LDAP')),
      setPassword: async () => Promise.reject(new Error('LDAP')),
    })
    await expect(broken.find('x')).rejects.toMatchObject({
      name: 'Unavailable',
      code: 'unavailable',
      cause: new TypeError('LDAP'),
    })
    await expect(broken.findByUsername('x')).rejects.toMatchObject({ code: 'busy', retryAfter: 9 })
    await expect(broken.verify('x', 'y')).rejects.toMatchObject({ code: 'unavailable' })
    await expect(broken.setPassword?.('x', 'y')).rejects.toMatchObject({ code: 'unavailable' })
    expect(broken).not.toHaveProperty('unlock')
  })
})
