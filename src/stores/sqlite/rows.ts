// Rows of the provider's adapter in SQLite.
import type Database from 'better-sqlite3'
import type { ProviderRow, ProviderRows } from '../../domain/ports.ts'
import { fromText, key, toText } from '../text.ts'

interface Row {
  payload: string
  account_id: string | null
  grant_id: string | null
  uid: string | null
  user_code: string | null
  stamp: number | null
  consumed: number | null
  expires_at: number | null
}

function read(row: Row | undefined): ProviderRow | undefined {
  if (!row) return undefined
  const payload = fromText<Record<string, unknown>>(row.payload)
  return {
    payload: row.consumed === null ? payload : { ...payload, consumed: row.consumed },
    ...(row.account_id !== null && { accountId: row.account_id }),
    ...(row.grant_id !== null && { grantId: row.grant_id }),
    ...(row.uid !== null && { uid: row.uid }),
    ...(row.user_code !== null && { userCode: row.user_code }),
    ...(row.stamp !== null && { stamp: row.stamp }),
    ...(row.expires_at !== null && { expiresAt: row.expires_at }),
  }
}

const text = (value: string | undefined): string | null => (value === undefined ? null : key(value))

export function rows(db: Database.Database): ProviderRows {
  // A stamp is never raised, and what was consumed stays so, even when a request in flight saves an older state.
  const upsert = db.prepare(
    `INSERT INTO rows (model, id, payload, account_id, grant_id, uid, user_code, stamp, consumed, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET payload = excluded.payload, account_id = excluded.account_id, grant_id = excluded.grant_id,
       uid = excluded.uid, user_code = excluded.user_code, expires_at = excluded.expires_at,
       stamp = min(coalesce(stamp, excluded.stamp), coalesce(excluded.stamp, stamp)),
       consumed = min(coalesce(consumed, excluded.consumed), coalesce(excluded.consumed, consumed))`,
  )
  const find = db.prepare<[string, string], Row>('SELECT * FROM rows WHERE model = ? AND id = ?')
  const by = {
    uid: db.prepare<[string, string], Row>('SELECT * FROM rows WHERE model = ? AND uid = ? ORDER BY expires_at DESC'),
    userCode: db.prepare<[string, string], Row>(
      'SELECT * FROM rows WHERE model = ? AND user_code = ? ORDER BY expires_at DESC',
    ),
  }
  const consume = db.prepare<[number, string, string]>(
    'UPDATE rows SET consumed = ? WHERE model = ? AND id = ? AND consumed IS NULL',
  )
  const destroy = db.prepare<[string, string]>('DELETE FROM rows WHERE model = ? AND id = ?')
  const revoke = db.prepare<[string]>('DELETE FROM rows WHERE grant_id = ?')
  const older = db.prepare<[string, string, number], Row>(
    'SELECT * FROM rows WHERE account_id = ? AND model = ? AND (stamp IS NULL OR stamp < ?)',
  )
  // A row without a stamp is dead as well (`ProviderRow.stamp`).
  const removeOlder = db.prepare<[string, number]>(
    'DELETE FROM rows WHERE account_id = ? AND (stamp IS NULL OR stamp < ?)',
  )

  return {
    upsert: async (model, id, row, expiresAt) => {
      const { payload, accountId, grantId, uid, userCode, stamp } = row
      const links = [text(accountId), text(grantId), text(uid), text(userCode)]
      const consumed = typeof payload['consumed'] === 'number' ? payload['consumed'] : null
      upsert.run(key(model), key(id), toText(payload), ...links, stamp ?? null, consumed, expiresAt ?? null)
    },
    find: async (model, id) => read(find.get(key(model), key(id))),
    findBy: async (model, name, value) => read(by[name].get(key(model), key(value))),
    consume: async (model, id, at) => consume.run(at, key(model), key(id)).changes === 1,
    destroy: async (model, id) => {
      destroy.run(key(model), key(id))
    },
    revokeByGrantId: async (grantId) => {
      revoke.run(key(grantId))
    },
    older: async (model, accountId, epoch) =>
      older.all(key(accountId), key(model), epoch).flatMap((row) => read(row) ?? []),
    removeOlder: async (accountId, epoch) => removeOlder.run(key(accountId), epoch).changes,
  }
}
