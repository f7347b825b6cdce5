// Apache with mod_auth_openidc as a relying party: a configuration of its own in a folder of its own, ended by its process id.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const binary = '/usr/sbin/apache2'
const modules = '/usr/lib/apache2/modules'

/** Why there is no Apache to test with, in a sentence that says what to do. */
export const noApache = (): string | undefined =>
  existsSync(binary) && existsSync(`${modules}/mod_auth_openidc.so`)
    ? undefined
    : 'no Apache with mod_auth_openidc is installed. Get one: apt-get install apache2 libapache2-mod-auth-openidc'

/** What the provider has to know of it, before it is started. */
export interface Place {
  client: string
  secret: string
  /** `http://127.0.0.1:port`: another host than the provider's, because cookies ignore ports. */
  origin: string
  redirectUri: string
}

/** Below those that systems give out by themselves: nobody takes it before Apache does. */
async function freePort(): Promise<number> {
  const port = randomInt(20_000, 32_000)
  const server = createServer().listen(port, '127.0.0.1')
  const free = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  if (!free) return freePort()
  await new Promise((resolve) => server.close(resolve))
  return port
}

export async function place(): Promise<Place> {
  const origin = `http://127.0.0.1:${await freePort()}`
  // The module keeps the redirect URI to itself, so it lies in a protected place with nothing behind it.
  return { client: 'apache', secret: randomBytes(24).toString('hex'), origin, redirectUri: `${origin}/desk/cb` }
}

export interface Apache extends Place {
  /** The error log: what the module says. */
  log(): Promise<string>
  close(): Promise<void>
}

/** `desk` is open to everybody who signed in, `vault` only to those whose sign-in has this `acr`. */
export interface Guarded extends Place {
  issuer: string
  acr: string
}

const configuration = (folder: string, { issuer, client, secret, origin, redirectUri, acr }: Guarded): string => `
ServerRoot ${folder}
ServerName 127.0.0.1
Listen ${new URL(origin).host}
PidFile ${folder}/apache.pid
ErrorLog ${folder}/error.log
LogLevel warn auth_openidc:info
Mutex file:${folder} default
# Started by root, it serves as somebody else; started by anybody else, as that.
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
${['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'auth_openidc', 'dir', 'filter', 'include', 'mime']
  .map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`)
  .join('\n')}
TypesConfig /dev/null
StartServers 1
MinSpareThreads 5
MaxSpareThreads 25
ThreadsPerChild 25

DocumentRoot ${folder}/pages
<Directory ${folder}/pages>
  Options +Includes
  AddType text/html;charset=utf-8 .html
  AddOutputFilter INCLUDES .html
  Require all granted
</Directory>

OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID ${client}
OIDCClientSecret ${secret}
OIDCRedirectURI ${redirectUri}
OIDCCryptoPassphrase ${randomBytes(24).toString('hex')}
OIDCPKCEMethod S256
OIDCScope "openid profile email"
OIDCRemoteUserClaim sub
OIDCPassClaimsAs environment

<Location /desk>
  AuthType openid-connect
  Require valid-user
</Location>
# Step-up: who is signed in, but not well enough, is sent back with what is wanted.
<Location /vault>
  AuthType openid-connect
  Require claim acr:${acr}
  OIDCUnAutzAction auth
  OIDCPathAuthRequestParams acr_values=${encodeURIComponent(acr)}
</Location>
# A new access token before each request, by the refresh token.
<Location /fresh>
  AuthType openid-connect
  Require valid-user
  OIDCRefreshAccessTokenBeforeExpiry 86400 logout_on_error
</Location>
`

const shown = [
  'REMOTE_USER',
  'OIDC_CLAIM_acr',
  'OIDC_CLAIM_amr',
  'OIDC_CLAIM_auth_time',
  'OIDC_CLAIM_email',
  'OIDC_access_token',
]

const page = (name: string): string => `<!doctype html>
<html lang="en"><title>${name}</title>
<main data-page="apache-${name}"><h1>${name}</h1><dl>
${shown.map((variable) => `<dt>${variable}</dt><dd data-claim="${variable}"><!--#echo encoding="entity" var="${variable}" --></dd>`).join('\n')}
</dl></main></html>
`

async function ready(child: ChildProcess, origin: string, said: () => Promise<string>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Apache ended: ${await said()}`)
    if (
      await fetch(origin).then(
        () => true,
        () => false,
      )
    )
      return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`Apache does not answer: ${await said()}`)
}

export async function startApache(guarded: Guarded): Promise<Apache> {
  const folder = await mkdtemp(join(tmpdir(), 'self-service-apache-'))
  // The pages are read by the user whom it serves as.
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'pages'))
  for (const name of ['desk', 'vault', 'fresh', 'bye']) {
    await mkdir(join(folder, 'pages', name))
    await writeFile(join(folder, 'pages', name, 'index.html'), page(name))
  }
  const file = join(folder, 'apache.conf')
  await writeFile(file, configuration(folder, guarded), { mode: 0o600 })

  const child = spawn(binary, ['-f', file, '-DFOREGROUND'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (text) => (complaint += String(text)))
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const log = async (): Promise<string> =>
    complaint + (await readFile(join(folder, 'error.log'), 'utf8').catch(() => ''))
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await gone
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await ready(child, guarded.origin, log)
  } catch (error) {
    await close()
    throw error
  }
  return { ...guarded, log, close }
}
