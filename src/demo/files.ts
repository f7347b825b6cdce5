// What the demonstration keeps in its folder: keys, configuration, accounts; made once.
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Known to everybody, so good for a server that only this machine can reach. */
export const demoAccounts = [
  {
    username: 'alice',
    name: 'Alice Chen',
    email: 'alice@example.org',
    password: 'wonderland-tea-at-four',
    groups: ['staff'],
  },
  {
    username: 'bob',
    name: 'Bob Okafor',
    email: 'bob@example.org',
    password: 'harbour-lights-at-nine',
    groups: ['staff'],
  },
  {
    username: 'carol',
    name: 'Carol Novak',
    email: 'carol@example.org',
    password: 'market-stall-at-seven',
    groups: ['guests'],
    /** For the terminal. */
    note: 'a guest: a password is enough, until checkout',
  },
] as const

export const demoClient = 'demo'
/** The shop's API, which asks the provider about tokens. */
export const demoApi = 'demo-api'

const template = (
  folder: string,
  port: number,
  rpPort: number,
): string => `# The demonstration's configuration, made at its first start. It is yours to edit.
# Saved changes of policy count from the next request on; the first four sections need a restart.
# config/default.yaml lists every option.
issuer: http://localhost:${port}
listen: { host: 127.0.0.1, port: ${port} }
store: ${JSON.stringify(`sqlite:${join(folder, 'demo.db')}`)}
mail: { url: "outbox:", from: "Demo sign-in <no-reply@example.org>" }
service: { name: Demo sign-in }
log: { level: warn }

# The switch: must users register their security info when they sign in?
registration:
  required: true
  # Alice and Bob are staff. Carol is a guest: she is asked when something takes a second factor.
  scope: selected
  groups: [staff]
  # grace: { skips: 3 }

admins: { groups: [admins] }

clients:
  ${demoClient}:
    firstParty: true
    prompts: [change_password, security_info_registration]
    metadata:
      client_name: Demo shop
      token_endpoint_auth_method: none
      grant_types: [authorization_code, refresh_token]
      redirect_uris: [http://127.0.0.1:${rpPort}/callback]
      post_logout_redirect_uris: [http://127.0.0.1:${rpPort}/]
`

/** True when the file was made now. */
async function once(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

export interface DemoFiles {
  config: string
  keysFile: string
  keys: string
  keysMade: boolean
}

export async function demoFiles(folder: string, port: number, rpPort: number): Promise<DemoFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const keysFile = join(folder, 'keys')
  const config = join(folder, 'demo.yaml')
  const keysMade = await once(keysFile, `${randomBytes(32).toString('base64')}\n`)
  await once(config, template(folder, port, rpPort))
  return { config, keysFile, keys: (await readFile(keysFile, 'utf8')).trim(), keysMade }
}
