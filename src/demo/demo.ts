// The demonstration: server, relying party and accounts with nothing to set up.
import { randomBytes } from 'node:crypto'
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
import { realChance as chance } from '../server/chance.ts'
import { type DemoFiles, demoAccounts, demoApi, demoClient, demoFiles } from './files.ts'
import { listen } from '../server/listen.ts'
import type { Log } from '../server/log.ts'
import { callbackPath, logoutPath, startRelyingParty } from './relying-party.ts'
import { startResourceServer } from './resource-server.ts'
import { startServer } from '../server/serve.ts'

export interface DemoOptions {
  /** Where everything lies that it makes. */
  folder: string
  /** 0 takes any free one; the file's own by default. */
  port?: number
  rpPort?: number
  log: (config: Loaded) => Log
  /** What the shop's API takes for now, in milliseconds since 1970; for tests. */
  now?: () => number
}

export interface Demo {
  issuer: string
  /** Where to click: the relying party. */
  url: string
  /** The relying party's API. */
  api: string
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
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { folder, port, rpPort = RP_PORT, log: logFor, now = chance.now } = options
  const wanted = port === 0 ? await freePort() : port
  const files = await demoFiles(folder, wanted ?? PORT, rpPort)
  const file = await loadConfig(files.config, { methods: createMethods() })
  const log = logFor(file)
  const issuer = wanted === undefined ? file.issuer : `http://localhost:${wanted}`
  const open: { close: () => Promise<void> }[] = []
  const close = async (): Promise<void> => void (await Promise.all(open.map((one) => one.close())))
  try {
    // Nobody but this process needs it, so it is another one at each start.
    const clientSecret = randomBytes(32).toString('base64url')
    const shared = { issuer, host: RP_HOST, log }
    const api = await startResourceServer({
      ...shared,
      clientId: demoApi,
      clientSecret,
      audience: [demoClient],
      port: 0,
      now,
    })
    open.push(api)
    const relyingParty = await startRelyingParty({ ...shared, clientId: demoClient, port: rpPort, api: api.url })
    open.push(relyingParty)
    const config = withDemoClients(file, { url: relyingParty.url, issuer, clientSecret })
    const server = await startServer(config, {
      roots: parseRootKeys(files.keys),
      log,
      prepare: (store, self) => addAccounts(store, self, config.password.cost),
      portOption: '--port',
    })
    open.push(server)
    return { issuer, url: relyingParty.url, api: api.url, files, config, log, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The addresses and the secret of this start; everything else is what the file says. */
function withDemoClients(
  file: Loaded,
  { url, issuer, clientSecret }: { url: string; issuer: string; clientSecret: string },
): Loaded {
  const ours: Loaded['clients'][string] = {
    metadata: {},
    firstParty: true,
    prompts: [],
    mfa: 'inherit',
    silentWhileRecommended: true,
  }
  const shop = file.clients[demoClient] ?? { ...ours, metadata: { token_endpoint_auth_method: 'none' } }
  const clients: Loaded['clients'] = {
    ...file.clients,
    [demoClient]: {
      ...shop,
      metadata: {
        ...shop.metadata,
        redirect_uris: [`${url}${callbackPath}`],
        post_logout_redirect_uris: [`${url}/`],
        backchannel_logout_uri: `${url}${logoutPath}`,
        backchannel_logout_session_required: true,
      },
    },
    // It signs nobody in: it only asks about tokens.
    [demoApi]: {
      ...ours,
      metadata: { client_secret: clientSecret, redirect_uris: [], response_types: [], grant_types: [] },
    },
  }
  return {
    ...file,
    issuer,
    clients,
    listen: { ...file.listen, port: Number(new URL(issuer).port) || 80 },
    // The shop hears of sign-outs on this machine.
    outgoing: { networks: [...file.outgoing.networks, RP_HOST] },
  }
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
  for (const { username, name, email, password, groups } of demoAccounts) {
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
      groups: [...groups],
      password: { hash: await passwords.hash(password), changedAt: at },
      outbox: [{ id: opaqueId(chance), kind: 'account.added', outcome: 'success', at, accountId: id, actor: 'demo' }],
    })
  }
}
