// An administrator's place of work for tests: a fresh database, a configuration that names it, and the command line.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { main } from '../../src/cli/main.ts'
import { newAccount } from '../../src/domain/accounts.ts'
import type { Store } from '../../src/domain/ports.ts'
import type { Account, AuditEvent } from '../../src/domain/types.ts'
import type { Database } from '../stores.ts'

export const secrets = { hash: 'k1$2b$12$secrethash', seed: 'v1.k.sealedseed', digest: 'k1.digestofacode' }
export const root = randomBytes(32)

export interface Office {
  store: Store
  config: string
  env: Record<string, string>
  cli(...args: string[]): Promise<{ code: number; out: string; err: string }>
  /** A registered account. */
  hire(username: string, more?: Partial<Account>): Promise<Account>
  trail(accountId: string): Promise<AuditEvent[]>
  close(): Promise<void>
}

export async function office(database: Database, policy = ''): Promise<Office> {
  const folder = await mkdtemp(join(tmpdir(), 'office-'))
  const config = join(folder, 'c.yaml')
  const fixed = `issuer: https://login.example.org/id\nstore: ${database.uri}\nmail: { url: smtp://127.0.0.1, from: a@b.example }\n`
  await writeFile(config, `${fixed}admins: { groups: [admins] }\n${policy}`)
  const env = { SELF_SERVICE_KEYS: root.toString('base64'), USER: 'root' }
  const store = await database.open()
  return {
    store,
    config,
    env,
    async cli(...args) {
      const out: string[] = []
      const err: string[] = []
      const io = { out: (text: string) => out.push(text), err: (text: string) => err.push(text), env, node: '24.0.0' }
      const code = await main([...args, '--config', config], io)
      return { code, out: out.join('\n'), err: err.join('\n') }
    },
    async hire(username, more = {}) {
      const account: Account = {
        ...newAccount(randomBytes(16).toString('base64url'), 1000),
        username,
        usernameKey: username.toLowerCase(),
        email: `${username.toLowerCase()}@example.org`,
        emailVerified: true,
        password: { hash: secrets.hash, changedAt: 900 },
        credentials: [
          { id: 'c1', method: 'totp', label: 'Phone', addedAt: 5, data: { sealed: secrets.seed, lastStep: 0 } },
          { id: 'c2', method: 'recovery-codes', label: '', addedAt: 6, data: { codes: [{ digest: secrets.digest }] } },
        ],
        browsers: ['b1'],
        ...more,
      }
      if (!(await store.accounts.insert(account))) throw new Error('there is one already')
      return account
    },
    trail: (accountId) => store.audit.query({ accountId }, 100),
    close: () => rm(folder, { recursive: true }),
  }
}
