// Good configurations: the shortest gives every default; the files that ship load; unsafe choices are said aloud.
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from '@jest/globals'
import { document } from '../../src/config/document.ts'
import { readConfig } from '../../src/config/load.ts'
import { createMethods } from '../../src/methods/index.ts'
import { traits } from './traits.ts'

const shortest = `issuer: https://login.example.org
mail: { url: "\${SMTP_URL}", from: no-reply@example.org }
`
const env = { SMTP_URL: 'smtp://mail.example.org' }
const read = (text: string, more: Record<string, string> = {}) =>
  readConfig({ file: 'x.yaml', text, env: { ...env, ...more }, methods: traits })

describe('a good configuration', () => {
  it('CF-2: the shortest one gives every default', () => {
    const { cautions: _, lineOf: _l, ...config } = read(shortest)
    expect(config).toEqual({
      file: 'x.yaml',
      issuer: 'https://login.example.org',
      listen: { host: '127.0.0.1', port: 3000 },
      proxy: { hops: 0 },
      store: 'sqlite:./data/self-service.db',
      mail: { url: 'smtp://mail.example.org', from: 'no-reply@example.org' },
      clients: {},
      password: { cost: 12 },
      session: { absolute: 86_400_000, idle: 3_600_000 },
      outgoing: { networks: [] },
      service: {},
      log: { level: 'info' },
      policy: {
        registration: {
          required: true,
          scope: 'all',
          groups: [],
          trustGate: 'email',
          grace: { skips: 0, snoozeDays: 0 },
        },
        mfa: { required: true, methods: ['totp', 'recovery-codes'] },
        reset: { scope: 'all', groups: [], gates: 2, methods: ['totp', 'email', 'recovery-codes'], unlock: true },
        password: { banned: [] },
        notify: { user: true, admins: true },
        admins: { groups: [] },
        tokens: { signedFor: 300_000 },
        clients: {},
      },
    })
  })

  it('CF-2: the documented defaults are the defaults', () => {
    const { mail: _m, lineOf: _l, ...documented } = read(document(traits))
    const { mail: _n, lineOf: _k, ...shortestOne } = read(shortest)
    expect(documented).toEqual(shortestOne)
  })

  it('takes numbers and switches from the environment, and a section of comments as an empty one', () => {
    const text = `${shortest}listen:\n  port: \${PORT}\nregistration:\n  required: \${MUST}\nlog:\n  # level: warn\n`
    const config = read(text, { PORT: '8080', MUST: 'false' })
    expect(config.listen.port).toBe(8080)
    expect(config.policy.registration.required).toBe(false)
    expect(config.log.level).toBe('info')
  })

  it('PW-5: parts the cost of a hash, which needs a restart, from what policy asks of a new password', () => {
    const text = `${shortest}password:\n  cost: 11\n  banned: [contoso, fabrikam]\n  breached: \${RANGES}\n`
    const { password, policy } = read(text, { RANGES: 'https://api.pwnedpasswords.com/range' })
    expect(password).toEqual({ cost: 11 })
    expect(policy.password).toEqual({
      banned: ['contoso', 'fabrikam'],
      breached: 'https://api.pwnedpasswords.com/range',
    })
    const thousand = Array.from({ length: 1000 }, (_, index) => `word${index}`)
    const full = read(`${shortest}password: { banned: [${thousand.join()}], breached: "http://localhost:9/range" }`)
    expect(full.policy.password.banned).toEqual(thousand)
  })

  it('takes who is told, and whether an unlock is offered', () => {
    const { policy } = read(`${shortest}notify: { admins: false }\nreset: { unlock: false }`)
    expect(policy.notify).toEqual({ user: true, admins: false })
    expect(policy.reset.unlock).toBe(false)
  })

  it('puts a variable in as text, never as YAML', () => {
    const config = read(`${shortest}service: { name: "\${NAME} $\${x}" }`, { NAME: 'x } #' })
    expect(config.service.name).toBe('x } # ${x}')
  })

  it.each([
    ['2027-01-31', Date.UTC(2027, 0, 31)],
    ['2027-01-31T09:00+08:00', Date.UTC(2027, 0, 31, 1)],
  ])('reads the date %s', (text, time) => {
    const config = read(`${shortest}registration: { grace: { until: ${text} } }`)
    expect(config.policy.registration.grace.until).toBe(time)
  })

  it('CF-3: unsafe choices are named', () => {
    expect(read(shortest.replace('https', 'http').replace('login.example.org', 'localhost')).cautions).toEqual([])
    const config = read(
      'issuer: http://localhost:3000\nmail: { url: "outbox:", from: a@b.example }\nregistration: { trustGate: dangerouslyNone }',
    )
    expect(config.cautions).toEqual([
      'registration.trustGate is dangerouslyNone: whoever has a password can bind the first second factor',
      'mail.url is outbox: mails are not sent but shown to whoever opens /dev/outbox here',
    ])
  })
})

describe('the files in config/', () => {
  it('CF-7: default.yaml is what the schema says today (npm run docs)', async () => {
    expect(await readFile('config/default.yaml', 'utf8')).toBe(document(createMethods()))
  })

  it.each([
    ['development.yaml', {}],
    [
      'production.example.yaml',
      { MONGODB_URI: 'mongodb://db.example.org/login', MY_APP_SECRET: 'k'.repeat(40), PAYROLL_SECRET: 'p'.repeat(40) },
    ],
    ['default.yaml', {}],
  ])('CF-7: %s loads', async (name, more) => {
    const text = await readFile(`config/${name}`, 'utf8')
    expect(() => read(text, more)).not.toThrow()
  })
})
