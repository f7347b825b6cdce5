// Opens the store that an address names. Only the driver in use is loaded.
import type { Store } from '../domain/ports.ts'
import { StoreRefused } from './refused.ts'
import type { SqliteOptions } from './sqlite/database.ts'

/**
 * `mongodb://…`, `mongodb+srv://…`, `sqlite:./path/to/file.db` or `sqlite::memory:`.
 * Rejects with `StoreRefused`: one sentence that names the option `store` and the fix.
 */
export async function openStore(uri: string, options: SqliteOptions = {}): Promise<Store> {
  if (/^mongodb(\+srv)?:\/\//.test(uri)) return (await import('./mongoose/index.ts')).mongooseStore(uri)
  const file = /^sqlite:(?<file>.+)$/s.exec(uri)?.groups?.['file']
  if (file) return (await import('./sqlite/index.ts')).sqliteStore(file, options)
  // Only the scheme is repeated: what was meant as an address may hold a password.
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(uri)?.[0]
  const fix = 'write mongodb://HOST/DATABASE, mongodb+srv://HOST/DATABASE or sqlite:./PATH/TO/FILE.db'
  throw new StoreRefused(
    `${scheme ? `"${scheme}" is no scheme that a store has` : 'the address has no scheme'}; ${fix}`,
  )
}
