// The package as a stranger gets it: packed, unpacked, started, and embedded exactly as the README shows.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('the package', () => {
  let folder: string
  let home: string
  let files: string[]
  let child: ChildProcess | undefined

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'self-service-package-'))
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root })
    const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string; files: { path: string }[] }]
    files = packed.files.map(({ path }) => path)
    await run('tar', ['-xzf', join(folder, packed.filename), '-C', folder])
    home = join(folder, 'package')
    // Installed beside the dependencies of this checkout.
    await mkdir(join(folder, 'host', 'node_modules'), { recursive: true })
    await symlink(join(root, 'node_modules'), join(home, 'node_modules'))
    await symlink(home, join(folder, 'host', 'node_modules', 'oidc-provider-self-service'))
    await symlink(join(root, 'node_modules', 'oidc-provider'), join(folder, 'host', 'node_modules', 'oidc-provider'))
  }, 60_000)

  afterAll(async () => {
    child?.kill()
    await rm(folder, { recursive: true, force: true })
  })

  it('holds code, types, views, the documented options and nothing of the tests', () => {
    for (const wanted of [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cli/main.js',
      'views/locales/en.json',
      'views/locales/zh-TW.json',
      'config/default.yaml',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
    ]) {
      expect(files).toContain(wanted)
    }
    expect(files.filter((path) => /^(?:test|src|data|node_modules)\//.test(path))).toEqual([])
  })

  it('its program answers', async () => {
    const { stdout } = await run(process.execPath, [join(home, 'dist', 'cli', 'main.js'), '--version'])
    expect(stdout.trim()).toMatch(/0\.1\.0/)
  })

  it("CF-7: the README's embedding works as it is written", async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    const snippet = /```js\n(import \{ Provider \}[\s\S]*?)```/.exec(readme)?.[1]
    expect(snippet).toBeDefined()
    const port = await freePort()
    const host = join(folder, 'host')
    await writeFile(join(host, 'embed.mjs'), snippet ?? '')
    await writeFile(join(host, 'policy.yaml'), 'registration:\n  required: true\n')
    const issuer = `http://localhost:${port}`
    child = spawn(process.execPath, ['embed.mjs'], {
      cwd: host,
      env: {
        PATH: process.env['PATH'],
        ISSUER: issuer,
        PORT: String(port),
        STORE: 'sqlite:./self-service.db',
        SELF_SERVICE_KEYS: randomBytes(32).toString('base64'),
        SMTP_URL: 'smtp://127.0.0.1:2525',
        SHOP_SECRET: 'a-secret-of-the-shop',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
    let answer: Response | undefined
    for (let tries = 0; tries < 100 && !answer && child.exitCode === null; tries++) {
      answer = await fetch(`${issuer}/.well-known/openid-configuration`).catch(() => undefined)
      if (!answer) await new Promise((done) => setTimeout(done, 100))
    }
    if (!answer) throw new Error(`the example did not start: ${said}`)
    const discovery = (await answer.json()) as { acr_values_supported?: string[] }
    expect(discovery.acr_values_supported).toContain('urn:oidc-self-service:acr:mfa')
    const query = new URLSearchParams({
      client_id: 'shop',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: 'https://shop.example.org/cb',
      code_challenge: 'A'.repeat(43),
      code_challenge_method: 'S256',
    })
    const start = await fetch(`${issuer}/auth?${query}`, { redirect: 'manual' })
    const page = await fetch(new URL(start.headers.get('location') ?? '', issuer), {
      headers: {
        cookie: start.headers
          .getSetCookie()
          .map((cookie) => cookie.split(';')[0])
          .join('; '),
      },
    })
    expect(await page.text()).toContain('data-page="sign-in"')
  }, 30_000)
})
