// One site: configuration file, database, mail server, proxy at the issuer's port, and the processes that serve it.
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newAccount } from '../../src/domain/accounts.ts'
import { opaqueId, usernameKey } from '../../src/domain/codes.ts'
import { type Keys, loadKeys } from '../../src/domain/keys.ts'
import type { Store } from '../../src/domain/ports.ts'
import type { Account } from '../../src/domain/types.ts'
import { createGate } from '../../src/passwords/gate.ts'
import { createPasswords } from '../../src/passwords/hash.ts'
import { realChance } from '../../src/server/chance.ts'
import { openStore } from '../../src/stores/open.ts'
import { Browser } from '../browser.ts'
import { type MailServer, mailServer } from '../senders/mail-server.ts'
import { type Ended, endAll, type Program, run, serve, type Start } from './program.ts'
import { type Proxy, startProxy } from './proxy.ts'

/** Where the relying party lives; nobody listens there. */
export const callback = 'http://rp.example/cb'
export const password = 'correct horse battery'

export interface Site {
  issuer: string
  folder: string
  /** The configuration file. */
  config: string
  store: Store
  /** Without one, mails go nowhere. */
  mail: MailServer
  proxy: Proxy
  keys: Keys
  rp: { id: string; secret: string }
  env: Record<string, string>
  /** Writes the configuration file: its fixed part and `policy`. */
  configure(policy?: string): Promise<void>
  /** Starts one more process behind the proxy. */
  serve(start?: Start): Promise<Program>
  /** Takes it from behind the proxy. */
  drop(program: Program): void
  cli(...args: string[]): Promise<Ended>
  add(username: string, more?: Partial<Account>): Promise<Account>
  account(username: string): Promise<Account>
  browser(): Browser
  close(): Promise<void>
}

export interface SiteOptions {
  /** `sqlite:` for a file in the site's folder, or an address. */
  store: string
  policy?: string
  mailPort?: number
  /** Further options of the configuration file. */
  more?: string
  level?: string
}

/** Databases in memory where the machine has such a place: what is tested is a killed process, not a pulled plug. */
export const newFolder = (): Promise<string> =>
  mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'self-service-program-'))

export async function site({
  store: address,
  policy = '',
  mailPort,
  more = '',
  level = 'info',
}: SiteOptions): Promise<Site> {
  const folder = await newFolder()
  const config = join(folder, 'config.yaml')
  const uri = address === 'sqlite:' ? `sqlite:${join(folder, 'store.db')}` : address
  const proxy = await startProxy()
  const mail = await mailServer()
  const issuer = `http://localhost:${proxy.port}`
  const root = randomBytes(32)
  const rp = { id: 'rp', secret: randomBytes(24).toString('hex') }
  const env = { SELF_SERVICE_KEYS: root.toString('base64'), RP_KEY: rp.secret, USER: 'tester' }
  const store = await openStore(uri)
  const keys = await loadKeys(store.claims, [root], realChance)
  const hash = await createPasswords({ keys: keys.prehash, cost: 10, pool: createGate({ atOnce: 1 }) }).hash(password)
  const browsers = new Set<Browser>()

  const configure = (rules = ''): Promise<void> =>
    writeFile(
      config,
      `issuer: ${issuer}
listen: { port: 0 }
proxy: { hops: 1 }
store: ${JSON.stringify(uri)}
mail: { url: "smtp://127.0.0.1:${mailPort ?? mail.port}", from: "Example sign-in <no-reply@example.org>" }
password: { cost: 10 }
log: { level: ${level} }
clients:
  rp:
    firstParty: true
    metadata:
      client_secret: "\${RP_KEY}"
      redirect_uris: [${callback}]
      post_logout_redirect_uris: [http://rp.example/]
      grant_types: [authorization_code, refresh_token]
${more}
${rules}
`,
    )
  await configure(policy)

  return {
    issuer,
    folder,
    config,
    store,
    mail,
    proxy,
    keys,
    rp,
    env,
    configure,
    async serve(start = {}) {
      const program = await serve(config, { ...start, env: { ...env, ...start.env } })
      proxy.targets.push(program.port)
      return program
    },
    drop(program) {
      proxy.targets.splice(0, proxy.targets.length, ...proxy.targets.filter((port) => port !== program.port))
    },
    cli: (...args) => run([...args, '--config', config], { env }),
    async add(username, extra = {}) {
      const account: Account = {
        ...newAccount(opaqueId(realChance), Date.now()),
        username,
        usernameKey: usernameKey(username),
        email: `${username}@example.org`,
        emailVerified: true,
        password: { hash, changedAt: Date.now() },
        ...extra,
      }
      if (!(await store.accounts.insert(account))) throw new Error(`${username} is taken`)
      return account
    },
    async account(username) {
      const account = await store.accounts.findByUsernameKey(usernameKey(username))
      if (!account) throw new Error(`no account ${username}`)
      return account
    },
    browser() {
      const browser = new Browser(issuer)
      // Everybody comes from somewhere else, as the proxy in front of a site sees it.
      browser.headers['x-forwarded-for'] = [10, ...randomBytes(3)].join('.')
      browsers.add(browser)
      return browser
    },
    async close() {
      await endAll()
      await proxy.close()
      await mail.close()
      await store.close().catch(() => undefined)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
