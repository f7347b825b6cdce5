// `users import` of a whole company, `users add` and `users list`, as an administrator runs them; and an imported user signing in.
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcrypt'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { hasMongo, mongo } from '../mongo.ts'
import { authorize, codeAt, steady, where } from './person.ts'
import { type Ended, run } from './program.ts'
import { type Site, site } from './site.ts'

const COMPANY = 10_000
const password = 'the password of before'
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

/** The same work in the three forms that other systems write. */
const hashes = (['$2a$', '$2b$', '$2y$'] as const).map(
  (form) => form + bcrypt.hashSync(password, 10).slice('$2b$'.length),
)
const rows = Array.from({ length: COMPANY }, (_, index) => ({
  username: `user${index}`,
  email: `user${index}@example.org`,
  emailVerified: true,
  name: `User, "${index}"`,
  groups: ['staff', `team${index % 50}`],
  passwordHash: hashes[index % 3] ?? '',
  ...(index % 10 === 0 && { totp: [{ secret, label: 'Phone' }] }),
}))

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
const csv = (): string =>
  [
    'username,email,emailVerified,name,groups,passwordHash,totp',
    ...rows.map((row) =>
      [
        row.username,
        row.email,
        row.emailVerified,
        quoted(row.name),
        row.groups.join(';'),
        row.passwordHash,
        row.totp ? quoted(JSON.stringify(row.totp)) : '',
      ].join(','),
    ),
  ].join('\r\n')

/** The command, and what it cost. */
async function imported(s: Site, name: string, text: string): Promise<Ended> {
  const file = join(s.folder, name)
  await writeFile(file, text)
  const told = 'process.on("exit",()=>process.stderr.write("RSS"+process.resourceUsage().maxRSS+"\\n"))'
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(told)}`
  const ended = await run(['users', 'import', file, '--config', s.config], { env: { ...s.env, NODE_OPTIONS } })
  const memory = Math.round(Number(/RSS(\d+)/.exec(ended.err)?.[1]) / 1024)
  console.info(`${name}: ${ended.out.trim()} ${(ended.ms / 1000).toFixed(1)} s, ${memory} MiB`)
  return { ...ended, err: ended.err.replace(/RSS\d+\n/, '') }
}

/** Everything that can be wrong with a row, and what the report says of it. */
const hash = hashes[1] ?? ''
const bad: [string, RegExp][] = [
  ['{"username": "cut', /no valid JSON/],
  ['{"username": "a" "b"}', /no valid JSON/],
  ['[1, 2]', /must be an object/],
  ['"text"', /must be an object/],
  ['null', /must be an object/],
  ['12', /must be an object/],
  ['{}', /username is missing/],
  ['{"username": ""}', /username is missing/],
  ['{"username": "  "}', /username is missing/],
  ['{"username": null}', /username is missing/],
  ['{"username": 12}', /username must be a text/],
  [`{"username": "${'x'.repeat(257)}"}`, /username has more than 256/],
  ['{"username": "a\\u0000b"}', /username holds characters/],
  ['{"username": "a\\nb"}', /username holds characters/],
  ['{"username": "a\\ud800"}', /username holds characters/],
  ['{"username": "\\u200b\\u2060"}', /username is missing/],
  ['{"username": "good1"}', /username is already in line 3/],
  ['{"username": "GOOD1"}', /username is already in line 3/],
  ['{"username": "ｇｏｏｄ1"}', /username is already in line 3/],
  ['{"username": "b", "email": 1}', /email must be a text/],
  ['{"username": "b", "email": "nobody"}', /email is no mail address/],
  ['{"username": "b", "email": "a@b.example,c@d.example"}', /email is no mail address/],
  ['{"username": "b", "email": "A <a@b.example>"}', /email is no mail address/],
  ['{"username": "b", "email": "a@b.example\\r\\nBcc: c@d.example"}', /email holds characters/],
  [`{"username": "b", "email": "${'x'.repeat(250)}@b.example"}`, /email has more than 254/],
  ['{"username": "b", "email": "a@b.example", "emailVerified": "true"}', /emailVerified must be true or false/],
  ['{"username": "b", "emailVerified": true}', /emailVerified is true but there is no email/],
  ['{"username": "b", "name": ["x"]}', /name must be a text/],
  [`{"username": "b", "name": "${'x'.repeat(257)}"}`, /name has more than 256/],
  ['{"username": "b", "name": "\\u001b[31m"}', /name holds characters/],
  ['{"username": "b", "groups": "staff"}', /groups must be a list/],
  ['{"username": "b", "groups": [1]}', /groups must be a list/],
  ['{"username": "b", "groups": [" "]}', /groups must be a list/],
  ['{"username": "b", "passwordHash": 1}', /passwordHash must be a text/],
  ['{"username": "b", "passwordHash": "plain text"}', /passwordHash is not a bcrypt hash/],
  [`{"username": "b", "passwordHash": "${hash.replace('$2b$', '$2x$')}"}`, /passwordHash is not a bcrypt hash/],
  [`{"username": "b", "passwordHash": "$1$abc$${'x'.repeat(22)}"}`, /passwordHash is not a bcrypt hash/],
  [`{"username": "b", "passwordHash": "${hash.slice(0, -1)}"}`, /passwordHash is not a bcrypt hash/],
  [`{"username": "b", "passwordHash": "$self1$key${hash}"}`, /passwordHash is not a bcrypt hash/],
  [`{"username": "b", "passwordHash": "${hash.replace('$10$', '$11$')}"}`, /cost 11, above the configured 10/],
  [`{"username": "b", "passwordHash": "${hash.replace('$10$', '$32$')}"}`, /passwordHash is not a bcrypt hash/],
  ['{"username": "b", "totp": [{"secret": "not base32!"}]}', /totp: secret is not base32/],
  ['{"username": "b", "totp": [{"secret": "JBSWY3DP"}]}', /totp: secret is shorter/],
  ['{"username": "b", "totp": [{}]}', /totp: secret is not base32/],
  [`{"username": "b", "totp": [${Array(6).fill(`{"secret": "${secret}"}`).join()}]}`, /totp has more than 5/],
  ['{"username": "b", "mustChangePassword": true}', /mustChangePassword/],
  ['{"username": "b", "disabled": "no"}', /disabled must be true or false/],
  ['{"username": "b", "colour": "red"}', /"colour" is no field/],
  ['{"username": "b", "pasword": "x"}', /"pasword" is no field/],
  ['{"username": "b", "passwordhash": "x"}', /"passwordhash" is no field: did you mean passwordHash/],
]

for (const name of ['SQLite', 'MongoDB']) {
  const suite = name === 'MongoDB' && !hasMongo() ? describe.skip : describe
  suite(`users (${name})`, () => {
    let s: Site
    let drop = async (): Promise<void> => undefined
    beforeAll(async () => {
      const server = name === 'MongoDB' ? await mongo() : undefined
      const database = `import_${randomBytes(6).toString('hex')}`
      if (server) drop = () => server.drop(database)
      s = await site({ store: server?.uri(database) ?? 'sqlite:' })
    })
    afterAll(async () => {
      await s?.close()
      await drop()
    })

    it('10,000 accounts with foreign hashes; again, in another form, changes nothing', async () => {
      const first = await (name === 'SQLite'
        ? imported(s, 'company.csv', csv())
        : imported(s, 'company.json', JSON.stringify(rows, undefined, 1)))
      expect([first.code, first.out.trim()]).toEqual([0, `Added ${COMPANY}, unchanged 0, refused 0.`])
      const some = async () => Promise.all([0, 1, 4321, 9999].map((index) => s.account(`user${index}`)))
      const before = await some()
      const lines = rows.map((row) => JSON.stringify({ ...row, name: 'Another name' })).join('\n')
      const second = await imported(s, 'company.jsonl', lines)
      expect([second.code, second.out.trim()]).toEqual([0, `Added 0, unchanged ${COMPANY}, refused 0.`])
      expect(await some()).toEqual(before)
      expect(before[0]).toMatchObject({
        username: 'user0',
        name: 'User, "0"',
        groups: ['staff', 'team0'],
        emailVerified: true,
        password: { hash: hashes[0] },
        credentials: [{ method: 'totp', label: 'Phone' }],
      })
      expect(JSON.stringify(before)).not.toContain(secret)
    }, 120_000)

    it(`${bad.length} kinds of bad rows: each is reported with its line, and every good row is kept`, async () => {
      const lines = [
        '{"username": "good0"}',
        '',
        ...bad.flatMap(([text], index) => [`{"username": "good${index + 1}"}`, text]),
        '{"username": "goodlast"}',
      ]
      const { code, out, err } = await imported(s, 'bad.jsonl', lines.join('\n'))
      expect([code, out.trim()]).toEqual([1, `Added ${bad.length + 2}, unchanged 0, refused ${bad.length}.`])
      const told = err.trim().split('\n')
      expect(told).toHaveLength(bad.length)
      const lineOf = (index: number): number => 4 + 2 * index
      for (const [index, [text, sentence]] of bad.entries()) {
        const found = told.find((line) => line.includes(`bad.jsonl:${lineOf(index)}: `))
        expect([text, found]).toEqual([text, expect.stringMatching(sentence)])
      }
      // LG-1: the report repeats no hash and no secret.
      expect(err).not.toMatch(/\$2[abxy]\$\d\d\$|JBSWY|not base32!/)
      for (const username of ['good0', 'good17', 'goodlast']) await s.account(username)
      await expect(s.account('b')).rejects.toThrow('no account')
    }, 60_000)

    it('lists page by page, and adds one', async () => {
      const seen: string[] = []
      let after: string | undefined
      for (let page = 0; page < 3; page++) {
        const { code, out, err } = await s.cli(
          'users',
          'list',
          '--json',
          '--limit',
          '1000',
          ...(after === undefined ? [] : [`--after=${after}`]),
        )
        expect(code).toBe(0)
        const listed = out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as { id: string; username: string })
        expect(listed).toHaveLength(1000)
        expect(out).not.toMatch(/\$2|sealed|passwordHash/)
        seen.push(...listed.map(({ username }) => username))
        after = /--after=(\S+)/.exec(err)?.[1]
        expect(after).toBe(listed.at(-1)?.id)
      }
      expect(new Set(seen).size).toBe(3000)
      const added = await s.cli('users', 'add', '--username', 'Zoë', '--email', 'zoe@example.org', '--group', 'staff')
      expect([added.code, added.out]).toEqual([0, expect.stringMatching(/^Added Zoë \(/)])
      const twice = await s.cli('users', 'add', '--username', 'ZOË', '--email', 'other@example.org')
      expect([twice.code, twice.err.trim()]).toEqual([1, 'Not added: there is already an account "ZOË".'])
    }, 60_000)

    // On one store: it is the same sweep, and small test servers take a minute for so many.
    if (name === 'SQLite') {
      it('LG-3: the events of all of them reach the trail with the next start, and a stop does not wait for that', async () => {
        const clock = { watched: true, env: { CLOCK: String(Date.now() + 60_000) } }
        const early = await s.serve(clock)
        s.drop(early)
        const { code, ms } = await early.stop()
        expect([code, ms < 5000]).toEqual([0, true])
        const program = await s.serve(clock)
        for (let tries = 0; tries < 600 && (await s.store.accounts.withOutbox(1)).length > 0; tries++) {
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
        expect(await s.store.accounts.withOutbox(1)).toEqual([])
        const added = await s.store.audit.query({ kind: 'account.added' }, 3 * COMPANY)
        expect(new Set(added.map(({ accountId }) => accountId)).size).toBe(COMPANY + bad.length + 3)
        expect(added[0]).toMatchObject({ actor: 'cli:tester', outcome: 'success' })
        s.drop(program)
        expect((await program.stop()).code).toBe(0)
      }, 60_000)
    }

    it('PW-7: imported hashes of all three forms sign in, and are renewed; an imported authenticator must be shown', async () => {
      const program = await s.serve()
      for (const [index, old] of hashes.entries()) {
        const username = `user${index + 1}`
        const browser = s.browser()
        await browser.open(authorize(s))
        await browser.submit({ username, password: 'a wrong one', action: 'continue' })
        expect(where(browser)).toBe('sign-in !wrong_password')
        const before = (await s.account(username)).password?.hash
        expect(before).toBe(hashes[(index + 1) % 3])
        await browser.submit({ username, password, action: 'continue' })
        expect(where(browser)).toBe('registration')
        const renewed = (await s.account(username)).password?.hash ?? ''
        expect(renewed).toMatch(/^\$self1\$[\w-]+\$2b\$10\$/)
        expect(renewed).not.toContain(old.slice(7))
        const again = s.browser()
        await again.open(authorize(s))
        await again.submit({ username, password, action: 'continue' })
        expect(where(again)).toBe('registration')
        expect((await s.account(username)).password?.hash).toBe(renewed)
      }

      const browser = s.browser()
      await browser.open(authorize(s))
      await browser.submit({ username: 'user10', password, action: 'continue' })
      expect(where(browser)).toBe('prove totp')
      await browser.submit({ code: '000000', action: 'continue' })
      expect(where(browser)).toMatch(/^prove totp !wrong_code/)
      await browser.submit({ code: codeAt(secret, await steady()), action: 'continue' })
      // What else is missing comes now, and the authenticator is not asked for again.
      expect(where(browser)).toBe('registration')
      expect(browser.now?.html).not.toContain('Authenticator app')
      expect((await program.stop()).code).toBe(0)
    }, 60_000)
  })
}
