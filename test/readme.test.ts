// The README's commands, run as they stand there: whoever pastes them gets what it says.
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

const root = join(import.meta.dirname, '..')

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

describe('the README', () => {
  let folder: string
  let port: number
  let commands: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'self-service-readme-'))
    port = await freePort()
    for (const name of ['package.json', 'node_modules', 'src', 'views'])
      await symlink(join(root, name), join(folder, name))
    await cp(join(root, 'config'), join(folder, 'config'), { recursive: true })
    // On a port that is free here; everything else is as it ships.
    const file = join(folder, 'config', 'development.yaml')
    const text = await readFile(file, 'utf8')
    await writeFile(file, `${text.replaceAll(':3000', `:${port}`)}listen: { port: ${port} }\n`)
    await writeFile(join(folder, 'users.csv'), 'username,email,emailVerified\ngrace,grace@example.org,true\n')
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    commands = /## Run the server[^`]*```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('"Run the server": every line works in turn, and the server answers until it is stopped', async () => {
    expect(commands.match(/npm run cli/g)).toHaveLength(7)
    // The last one stays; it becomes the shell itself, so that its end is the shell's.
    const script = commands.trimEnd().replace(/\n(npm run cli -- serve.*)$/, '\nexec $1')
    const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    let said = ''
    for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const ended = new Promise<void>((done) => void shell.once('exit', () => done()))
    try {
      let health: Response | undefined
      for (let tries = 0; tries < 600 && !health?.ok && shell.exitCode === null; tries++) {
        health = await fetch(`http://localhost:${port}/readyz`).catch(() => undefined)
        if (!health?.ok) await new Promise((done) => setTimeout(done, 100))
      }
      expect([said, health?.status]).toEqual([expect.stringContaining('listening'), 200])
      for (const line of ['Added ada', 'Added 1, unchanged 0, refused 0', 'grace', 'ada@example.org'])
        expect(said).toContain(line)
      // The invitation was queued by a command; the server sends it.
      const invited = async (): Promise<boolean> => {
        const mails = (await (await fetch(`http://localhost:${port}/dev/outbox.json`)).json()) as { to: string }[]
        return mails.some(({ to }) => to === 'ada@example.org')
      }
      for (let tries = 0; tries < 100 && !(await invited()); tries++) await new Promise((done) => setTimeout(done, 100))
      expect(await invited()).toBe(true)
    } finally {
      if (shell.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, 'SIGTERM')
      await ended
    }
  }, 120_000)
})
