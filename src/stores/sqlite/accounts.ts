// Accounts in SQLite: the document as JSON, and beside it what is looked up or compared.
import type Database from 'better-sqlite3'
import type { AccountStore } from '../../domain/ports.ts'
import type { Account } from '../../domain/types.ts'
import { fromText, key, toText } from '../text.ts'

interface Row {
  body: string
}

const read = (row: Row | undefined): Account | undefined => row && fromText<Account>(row.body)

export function accounts(db: Database.Database): AccountStore {
  const byId = db.prepare<[string], Row>('SELECT body FROM accounts WHERE id = ?')
  const byKey = db.prepare<[string], Row>('SELECT body FROM accounts WHERE username_key = ?')
  const insert = db.prepare<[string, string, number, number, string]>(
    'INSERT INTO accounts (id, username_key, version, outboxed, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  // OR IGNORE: a username key that another account has leaves everything as it was.
  const replace = db.prepare<[string, number, number, string, string, number]>(
    'UPDATE OR IGNORE accounts SET username_key = ?, version = ?, outboxed = ?, body = ? WHERE id = ? AND version = ?',
  )
  const remove = db.prepare<[string, number]>('DELETE FROM accounts WHERE id = ? AND version = ?')
  const page = db.prepare<[string, number], Row>('SELECT body FROM accounts WHERE id > ? ORDER BY id LIMIT ?')
  const withOutbox = db.prepare<[number], Row>('SELECT body FROM accounts WHERE outboxed = 1 ORDER BY id LIMIT ?')
  const outboxed = (account: Account): number => (account.outbox.length > 0 ? 1 : 0)

  return {
    find: async (id) => read(byId.get(key(id))),
    findByUsernameKey: async (name) => read(byKey.get(key(name))),
    insert: async (account) => {
      const { id, usernameKey, version } = account
      return insert.run(key(id), key(usernameKey), version, outboxed(account), toText(account)).changes === 1
    },
    replace: async (account, version) => {
      const next = [key(account.usernameKey), account.version, outboxed(account), toText(account)] as const
      return replace.run(...next, key(account.id), version).changes === 1
    },
    remove: async (id, version) => remove.run(key(id), version).changes === 1,
    page: async (after, limit) => page.all(key(after ?? ''), limit).map((row) => fromText<Account>(row.body)),
    withOutbox: async (limit) => withOutbox.all(limit).map((row) => fromText<Account>(row.body)),
  }
}
