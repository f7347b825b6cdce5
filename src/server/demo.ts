// The demonstration: server, relying party and accounts with nothing to set up.
import { availableParallelism } from 'node:os'
import { type Loaded, loadConfig } from '../config/load.ts'
import { newAccount } from '../domain/accounts.ts'
import { opaqueId, usernameKey } from '../domain/codes.ts'
import { parseRootKeys } from '../domain/keys.ts'
import type { Store } from '../domain/ports.ts'
import { createMethods } from '../methods/index.ts'
import { createGate, hashesAtOnce } from '../passwords/gate.ts'
import { createPasswords } from '../passwords/hash.ts'
import type { SelfService } from '../plugin.ts'
import { realChance as chance } from './chance.ts'
import { type DemoFiles, demoAccounts, demoClient, demoFiles } from './demo-files.ts'
import { listen } from './listen.ts'
import type { Log } from './log.ts'
import { callbackPath, startRelyingParty } from './relying-party.ts'
import { startServer } from './serve.ts'

export interface DemoOptions {
  /** Where everything lies that it makes. */
  folder: string
  /** 0 takes any free one; the file's own by default. */
  port?: number
  rpPort?: number
  log: (config: Loaded) => Log
}

export interface Demo {
  issuer: string
  /** Where to click: the relying party. */
  url: string
  files: DemoFiles
  config: Loaded
  log: Log
  close: () => Promise<void>
}

const PORT = 3000
const RP_PORT = 3001
/** An address of its own: cookies ignore ports, so on `localhost` both would see each other's. */
const RP_HOST = '127.0.0.1'

/** @throws whatever keeps it from starting, in one sentence. */
export async function startDemo({ folder, port, rpPort = RP_PORT, log: logFor }: DemoOptions): Promise<Demo> {
  const wanted = port === 0 ? await freePort() : port
  const files = await demoFiles(folder, wanted ?? PORT, rpPort)
  const file = await loadConfig(files.config, { methods: createMethods() })
  const log = logFor(file)
  const issuer = wanted === undefined ? file.issuer : `http://localhost:${wanted}`
  const relyingParty = await startRelyingParty({ issuer, clientId: demoClient, host: RP_HOST, port: rpPort, log })
  try {
    const config = withDemoClient(file, relyingParty.url, issuer)
    const server = await startServer(config, {
      roots: parseRootKeys(files.keys),
      log,
      prepare: (store, self) => addAccounts(store, self, config.password.cost),
      portOption: '--port',
    })
    return {
      issuer,
      url: relyingParty.url,
      files,
      config,
      log,
      async close() {
        await Promise.all([relyingParty.close(), server.close()])
      },
    }
  } catch (error) {
    await relyingParty.close()
    throw error
  }
}

/** The addresses of this start; everything else is what the file says. */
function withDemoClient(file: Loaded, url: string, issuer: string): Loaded {
  const client = file.clients[demoClient] ?? {
    metadata: { token_endpoint_auth_method: 'none' },
    firstParty: true,
    prompts: [],
  }
  const metadata = {
    ...client.metadata,
    redirect_uris: [`${url}${callbackPath}`],
    post_logout_redirect_uris: [`${url}/`],
  }
  const clients = { ...file.clients, [demoClient]: { ...client, metadata } }
  return { ...file, issuer, clients, listen: { ...file.listen, port: Number(new URL(issuer).port) || 80 } }
}

async function freePort(): Promise<number> {
  const free = await listen((_request, response) => void response.end(), { host: RP_HOST, port: 0 })
  await free.close()
  return free.port
}

/** Once: accounts that are there stay as they are. */
async function addAccounts(store: Store, self: SelfService, cost: number): Promise<void> {
  const pool = createGate({ atOnce: hashesAtOnce(availableParallelism()) })
  const passwords = createPasswords({ keys: self.keys.prehash, cost, pool })
  for (const { username, name, email, password } of demoAccounts) {
    if (await store.accounts.findByUsernameKey(usernameKey(username))) continue
    const id = opaqueId(chance)
    const at = chance.now()
    await store.accounts.insert({
      ...newAccount(id, at),
      username,
      usernameKey: usernameKey(username),
      name,
      email,
      emailVerified: true,
      password: { hash: await passwords.hash(password), changedAt: at },
      outbox: [{ id: opaqueId(chance), kind: 'account.added', outcome: 'success', at, accountId: id, actor: 'demo' }],
    })
  }
}
