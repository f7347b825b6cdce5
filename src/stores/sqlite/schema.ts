// The tables, as a list of migrations: the file's `user_version` says how many it has seen.
import type Database from 'better-sqlite3'
import { StoreRefused } from '../refused.ts'

/** Marks a file as ours ("OSSV"), so that another program's database is not filled with our tables. */
const APPLICATION_ID = 0x4f535356

const first = `
  CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY, username_key TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,
    outboxed INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX accounts_outboxed ON accounts (id) WHERE outboxed = 1;
  CREATE TABLE flows (
    id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, remove_at REAL NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX flows_remove_at ON flows (remove_at);
  CREATE TABLE budgets (
    key TEXT NOT NULL PRIMARY KEY, in_row INTEGER NOT NULL, matters_until REAL NOT NULL, remove_at REAL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX budgets_remove_at ON budgets (remove_at) WHERE remove_at IS NOT NULL;
  CREATE INDEX budgets_matters_until ON budgets (matters_until) WHERE in_row = 0;
  CREATE TABLE claims (id TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY, at REAL NOT NULL, account_id TEXT, kind TEXT NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_at ON audit (at, id);
  CREATE INDEX audit_account_id ON audit (account_id, at, id) WHERE account_id IS NOT NULL;
  CREATE TABLE mails (
    id TEXT NOT NULL PRIMARY KEY, sealed TEXT NOT NULL, due_at REAL NOT NULL, expires_at REAL NOT NULL,
    attempts INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX mails_due_at ON mails (due_at, id);
  CREATE INDEX mails_expires_at ON mails (expires_at);
  CREATE TABLE rows (
    model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, account_id TEXT, grant_id TEXT, uid TEXT, user_code TEXT,
    stamp INTEGER, consumed REAL, expires_at REAL, PRIMARY KEY (model, id)
  ) STRICT;
  CREATE INDEX rows_account_id ON rows (account_id) WHERE account_id IS NOT NULL;
  CREATE INDEX rows_grant_id ON rows (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX rows_uid ON rows (uid) WHERE uid IS NOT NULL;
  CREATE INDEX rows_user_code ON rows (user_code) WHERE user_code IS NOT NULL;
  CREATE INDEX rows_expires_at ON rows (expires_at) WHERE expires_at IS NOT NULL;
`

/** Claims may end. Those that were made before stay. */
const second = `
  ALTER TABLE claims ADD COLUMN remove_at REAL;
  CREATE INDEX claims_remove_at ON claims (remove_at) WHERE remove_at IS NOT NULL;
`

const third = `
  CREATE TABLE logouts (
    id TEXT NOT NULL PRIMARY KEY, sealed TEXT NOT NULL, due_at REAL NOT NULL, expires_at REAL NOT NULL,
    attempts INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX logouts_due_at ON logouts (due_at, id);
  CREATE INDEX logouts_expires_at ON logouts (expires_at);
`

const migrations: readonly string[] = [first, second, third]

const number = (db: Database.Database, pragma: string): number => Number(db.pragma(pragma, { simple: true }))

/** Brings the file up to date, in one transaction. Refuses a file of a newer release (DB-15) or of another program. */
export function migrate(db: Database.Database, file: string): void {
  const up = (): void => {
    const owner = number(db, 'application_id')
    const seen = number(db, 'user_version')
    const empty = db.prepare('SELECT 1 FROM sqlite_schema').get() === undefined
    if (owner !== APPLICATION_ID && (owner !== 0 || seen !== 0 || !empty)) {
      throw new StoreRefused(`"${file}" is a database of another program; name a file of its own`)
    }
    if (seen > migrations.length) {
      const versions = `it has schema ${seen}, this release knows ${migrations.length}`
      throw new StoreRefused(
        `"${file}" was written by a newer release (${versions}); run that release, or name another file`,
      )
    }
    if (seen === migrations.length) return
    for (const migration of migrations.slice(seen)) db.exec(migration)
    db.pragma(`application_id = ${APPLICATION_ID}`)
    db.pragma(`user_version = ${migrations.length}`)
  }
  db.transaction(up).immediate()
}
