// `users import|add|list` and `config check`, as an administrator calls them.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { main } from '../../src/cli/main.ts'
import type { Account } from '../../src/domain/types.ts'
import { openStore } from '../../src/stores/open.ts'

const hash = '$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

let folder: string
let config: string
let store: string
const env = { SELF_SERVICE_KEYS: randomBytes(32).toString('base64'), USER: 'root' }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-'))
  config = join(folder, 'c.yaml')
  store = `sqlite:${join(folder, 'x.db')}`
  await writeFile(
    config,
    `issuer: http://localhost:3000\nstore: ${store}\nmail: { url: smtp://127.0.0.1, from: a@b.example }\n`,
  )
})
afterEach(() => rm(folder, { recursive: true }))

async function cli(...args: string[]) {
  const out: string[] = []
  const err: string[] = []
  const io = { out: (text: string) => out.push(text), err: (text: string) => err.push(text), env, node: '24.0.0' }
  const code = await main(args, io)
  return { code, out: out.join('\n'), err: err.join('\n') }
}

async function accounts(): Promise<Account[]> {
  const opened = await openStore(store)
  try {
    return await opened.accounts.page(undefined, 1000)
  } finally {
    await opened.close()
  }
}

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

describe('users import', () => {
  it('adds good rows, refuses bad ones with their line, and changes nothing the second time', async () => {
    const rows = [
      {
        username: 'Alice',
        email: 'a@b.example',
        emailVerified: true,
        name: 'A',
        groups: ['x', 'x'],
        passwordHash: hash,
        mustChangePassword: true,
      },
      { username: 'bob', totp: [{ secret, label: 'Phone' }], disabled: true },
      { username: ' ' },
      { username: 'ＡＬＩＣＥ' },
      { username: 'c', email: 'no address' },
      { username: 'd', emailVerified: true },
      { username: 'e', passwordHash: hash.replace('$10$', '$13$') },
      { username: 'f', totp: [{ secret: 'not base32!' }] },
      { username: 'g', mustChangePassword: true },
      { username: 'h', passwordHsh: 'x' },
      { username: 'i', groups: 'x' },
      { username: 'j\u0000' },
    ]
    const list = await file('u.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'))
    const first = await cli('users', 'import', list, '--config', config)
    expect(first.code).toBe(1)
    expect(first.out).toBe('Added 2, unchanged 0, refused 10.')
    expect(first.err.split('\n').map((line) => line.slice(list.length))).toEqual([
      ':3: username is missing',
      ':4: username is already in line 1',
      ':5: email is no mail address',
      ':6: emailVerified is true but there is no email',
      expect.stringMatching(/^:7: passwordHash has cost 13/),
      ':8: totp: secret is not base32',
      ':9: mustChangePassword is true but there is no passwordHash',
      ':10: "passwordHsh" is no field: did you mean passwordHash?',
      ':11: groups must be a list of texts',
      ':12: username holds characters that cannot be shown',
    ])

    const before = await accounts()
    const alice = before.find((account) => account.usernameKey === 'alice')
    const bob = before.find((account) => account.usernameKey === 'bob')
    expect(alice).toMatchObject({ username: 'Alice', emailVerified: true, groups: ['x'], disabled: false, epoch: 1 })
    expect(alice?.password).toEqual({ hash, changedAt: alice?.addedAt, mustChange: 'temporary' })
    expect([alice?.activation, bob?.activation]).toEqual([undefined, undefined])
    expect(bob).toMatchObject({ disabled: true, credentials: [{ method: 'totp', label: 'Phone' }] })
    expect(JSON.stringify(bob)).not.toContain(secret)
    expect(alice?.outbox).toEqual([
      expect.objectContaining({ kind: 'account.added', outcome: 'success', actor: 'cli:root', accountId: alice?.id }),
    ])

    const again = await cli('users', 'import', list, '--config', config)
    expect(again.out).toBe('Added 0, unchanged 2, refused 10.')
    expect(await accounts()).toEqual(before)
  })

  it('thousands of accounts come in, with progress', async () => {
    const lines = Array.from({ length: 2000 }, (_, index) => `user${index},user${index}@b.example,true,${hash}`)
    const list = await file('u.csv', `username,email,emailVerified,passwordHash\n${lines.join('\n')}\n`)
    const { code, out, err } = await cli('users', 'import', list, '--config', config)
    expect(out).toBe('Added 2000, unchanged 0, refused 0.')
    expect(code).toBe(0)
    expect(err).toContain('2000 rows ...')
  })

  it('CF-1: refuses without good keys, a file, or a configuration', async () => {
    const list = await file('u.jsonl', '{"username":"a"}')
    expect(await cli('users', 'import', list)).toMatchObject({
      code: 2,
      err: expect.stringContaining('--config is missing.'),
    })
    expect(await cli('users', 'import', '--config', config)).toMatchObject({ code: 2 })
    expect(await cli('users', 'import', join(folder, 'no'), '--config', config)).toMatchObject({
      code: 1,
      err: `the file ${join(folder, 'no')} does not exist: name a file that does`,
    })
    expect(await cli('users', 'import', list, '--config', join(folder, 'no.yaml'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('does not exist'),
    })
  })
})

describe('users add, users list', () => {
  it('adds an account without a password, once, and lists pages', async () => {
    const add = (name: string) =>
      cli(
        'users',
        'add',
        '--username',
        name,
        '--email',
        `${name}@b.example`,
        '--group',
        'x',
        '--group',
        'y',
        '--config',
        config,
      )
    expect(await add('alice')).toMatchObject({ code: 0, out: expect.stringMatching(/^Added alice \([\w-]{22}\)\.$/) })
    expect(await add('Alice')).toMatchObject({ code: 1, err: 'Not added: there is already an account "Alice".' })
    await add('bob')
    const [first] = await accounts()
    expect(first).toMatchObject({ emailVerified: true, groups: ['x', 'y'] })
    expect(first).not.toHaveProperty('password')
    expect(first?.activation).toEqual({ until: Number(first?.addedAt) + 30 * 86_400_000 })

    const page = await cli('users', 'list', '--config', config, '--limit', '1', '--json')
    const listed = JSON.parse(page.out)
    expect(Object.keys(listed)).toEqual([
      'id',
      'username',
      'name',
      'email',
      'emailVerified',
      'groups',
      'methods',
      'disabled',
      'addedAt',
    ])
    expect(page.err).toBe(`There are more: --after=${listed.id}`)
    const rest = await cli('users', 'list', '--config', config, `--after=${listed.id}`)
    expect(rest.out.split('\n')).toHaveLength(2)
    expect(rest.err).toBe('')
  })

  it.each([
    [['users', 'list', '--config', 'x', '--limit', '0'], '--limit must be'],
    [['users', 'list', '--nope'], "Unknown option '--nope'"],
    [['users', 'add', '--username', 'a', '--config', 'x'], '--email is missing.'],
    [['users'], 'There is no command "users"'],
    [['reboot', 'now'], 'There is no command "reboot now"'],
  ])('a wrong command line is told so: %j', async (args, sentence) => {
    const { code, err } = await cli(...args)
    expect(code).toBe(2)
    expect(err).toContain(sentence)
  })
})

describe('config check', () => {
  it('CF-1: says good or why not, clients included', async () => {
    expect(await cli('config', 'check', config)).toEqual({ code: 0, out: `${config} is good.`, err: '' })
    const bad = await file(
      'bad.yaml',
      'issuer: http://localhost:3000\nmail: { url: smtp://h, from: a@b.example }\nclients:\n  app:\n    metadata:\n      token_endpoint_auth_method: none\n      redirect_uris: [nowhere]\n',
    )
    expect(await cli('config', 'check', bad)).toMatchObject({
      code: 1,
      err: `${bad}:5: clients.app.metadata was refused (redirect_uris must only contain valid uris): change it`,
    })
  })
})

describe('the program', () => {
  it('tells what it can do, and its version', async () => {
    expect((await cli('--help')).out).toContain('users import')
    expect((await cli()).code).toBe(0)
    expect((await cli('users', 'import', '--help')).out).toContain(
      'Usage: oidc-self-service users import FILE --config FILE',
    )
    expect((await cli('--version')).out).toMatch(/^\d+\.\d+\.\d+/)
  })

  it('refuses an old Node.js in one sentence', async () => {
    const err: string[] = []
    const io = { out: () => undefined, err: (text: string) => void err.push(text), env: {}, node: '20.19.0' }
    expect(await main(['demo'], io)).toBe(1)
    expect(err).toEqual(['oidc-self-service needs Node.js 22 or newer, and this is 20.19.0: install a newer one.'])
  })
})
