// Bad configurations: each is refused with one sentence that names the option, its line, what is wrong and the fix.
import { describe, expect, it } from '@jest/globals'
import { ConfigError } from '../../src/config/finding.ts'
import { readConfig } from '../../src/config/load.ts'
import { traits } from './traits.ts'

const good: Record<string, string> = {
  issuer: 'issuer: https://login.example.org',
  mail: 'mail: { url: "smtp://mail.example.org", from: no-reply@example.org }',
}

/** The good lines, with those of the same option replaced; the option under test comes last. */
const file = (text: string): string =>
  `${[
    ...Object.entries(good)
      .filter(([option]) => !new RegExp(`^${option}:`, 'm').test(text))
      .map(([, line]) => line),
    text,
  ].join('\n')}\n`

function refusals(text: string, env: Record<string, string> = {}): string[] {
  try {
    readConfig({ file: 'x.yaml', text, env, methods: traits })
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

const outbox = 'mail: { url: "outbox:", from: a@b.example }'

/** What stands in the file, the line of the refusal, and the sentence. */
const table: readonly [text: string, line: number, sentence: string][] = [
  [
    'registration:\n  scope: al',
    4,
    'registration.scope must be one of none, selected, all (found "al"): did you mean all?',
  ],
  [
    'registration:\n  scope: 7',
    4,
    'registration.scope must be one of none, selected, all (found 7): choose one of them',
  ],
  [
    'outgoing:\n  networks: [10.0.0.0/8, inside]',
    4,
    'outgoing.networks.1 must be a network such as 10.0.0.0/8 or fd00::/8, or one address (found "inside"): change it',
  ],
  ['registration:\n  requird: true', 4, 'registration.requird is no option: did you mean required?'],
  [
    'registration: { required: yes }',
    3,
    'registration.required must be true or false (found "yes"): did you mean true?',
  ],
  [
    'registration:\n  required:',
    4,
    'registration.required is empty but must be true or false: give it a value or remove the line',
  ],
  ['registration: [all]', 3, 'registration must be a section with options of its own (found a list): change it'],
  [
    'registration: { scope: selected }',
    3,
    'registration.groups must name at least one group when registration.scope is selected: add one',
  ],
  [
    'registration: { groups: staff }',
    3,
    'registration.groups must be a list, such as [one, two] (found "staff"): change it',
  ],
  ['registration: { groups: [""] }', 3, 'registration.groups.0 must not be an empty text (found ""): write a name'],
  [
    'registration: { trustGate: none }',
    3,
    'registration.trustGate must be one of email, dangerouslyNone (found "none"): choose one of them',
  ],
  [
    'registration: { trustGate: predicate }',
    3,
    'registration.trustGate must be one of email, dangerouslyNone (found "predicate"): choose one of them',
  ],
  ['registration: { grace: { skips: 101 } }', 3, 'registration.grace.skips must be at most 100 (found 101): lower it'],
  [
    'registration: { grace: { skips: 1.5 } }',
    3,
    'registration.grace.skips must be a whole number (found 1.5): change it',
  ],
  ['registration: { grace: { skips: -1 } }', 3, 'registration.grace.skips must be at least 0 (found -1): raise it'],
  [
    'registration:\n  grace:\n    snoozeDays: 15',
    5,
    'registration.grace.snoozeDays must be at most 14 (found 15): lower it',
  ],
  [
    'registration: { grace: { until: soon } }',
    3,
    'registration.grace.until must be a date such as 2027-01-31 or 2027-01-31T09:00Z (found "soon"): change it',
  ],
  [
    'registration: { grace: { until: 2027-02-31 } }',
    3,
    'registration.grace.until must be a date of the calendar, such as 2027-01-31 (found "2027-02-31"): change it',
  ],
  ['mfa: { methods: [] }', 3, 'mfa.methods must hold a method that can stand alone as second factor: add totp'],
  [
    'mfa: { methods: [recovery-codes] }',
    3,
    'mfa.methods must hold a method that can stand alone as second factor: add totp',
  ],
  [
    'mfa: { methods: [totp, email] }',
    3,
    'mfa.methods.1 must be one of totp, recovery-codes (found "email"): choose one of them',
  ],
  [
    'mfa: { methods: [webauthn] }',
    3,
    'mfa.methods.0 must be one of totp, recovery-codes (found "webauthn"): choose one of them',
  ],
  ['mfa: { methods: [totp, totp] }', 3, 'mfa.methods names totp twice: name it once'],
  ['reset: { gates: 0 }', 3, 'reset.gates must be at least 1 (found 0): raise it'],
  ['reset: { gates: 3 }', 3, 'reset.gates must be at most 2 (found 3): lower it'],
  [
    'reset: { methods: [email] }',
    3,
    'reset.methods must hold 2 independent methods, because reset.gates is 2: add a method',
  ],
  [
    'reset: { gates: 1, methods: [email] }\nadmins: { groups: [admins] }',
    3,
    'reset.methods must hold 2 independent methods, because administrators always need two: add a method',
  ],
  [
    'reset: { gates: 1, methods: [totp] }',
    3,
    'reset.methods must hold a method that is no second factor, or 2 independent ones, because reset.gates is 1: add a method',
  ],
  [
    'reset: { methods: [totp, sms] }',
    3,
    'reset.methods.1 must be one of totp, email, recovery-codes (found "sms"): choose one of them',
  ],
  ['reset: { scope: selected }', 3, 'reset.groups must name at least one group when reset.scope is selected: add one'],
  ['reset: { unlock: yes }', 3, 'reset.unlock must be true or false (found "yes"): did you mean true?'],
  ['notify: { user: 1 }', 3, 'notify.user must be true or false (found 1): change it'],
  ['notify: { admin: false }', 3, 'notify.admin is no option: did you mean admins?'],
  [
    'password: { banned: contoso }',
    3,
    'password.banned must be a list, such as [one, two] (found "contoso"): change it',
  ],
  ['password: { banned: [""] }', 3, 'password.banned.0 must not be an empty text (found ""): write a name'],
  [
    `password: { banned: [${Array.from({ length: 1001 }, (_, index) => `w${index}`).join()}] }`,
    3,
    'password.banned must hold at most 1000 words (found a list): remove some',
  ],
  [
    'password: { breached: http://ranges.example.org/range }',
    3,
    'password.breached must be https (found "http://ranges.example.org/range"): write https://...',
  ],
  ['password: { breached: true }', 3, 'password.breached must be a text (found true): change it'],
  ['password: { breached: none }', 3, 'password.breached must be an https address (found "none"): write https://...'],
  [
    'password: { breached: "https://ranges.example.org/range?key=1" }',
    3,
    'password.breached must be an address without name, password, query and fragment: remove them',
  ],
  ['admins: { group: [a] }', 3, 'admins.group is no option: did you mean groups?'],
  [
    'helpdesk: javascript:alert(1)',
    3,
    'helpdesk must be an http(s) link or a mail address (found "javascript:alert(1)"): change it',
  ],
  ['password: { cost: 9 }', 3, 'password.cost must be at least 10 (found 9): raise it'],
  ['password: { cost: 16 }', 3, 'password.cost must be at most 15 (found 16): lower it'],
  ['session: { absolute: 24 }', 3, 'session.absolute must be a duration such as 30m, 24h or 7d (found 24): change it'],
  ['session: { absolute: 31d }', 3, 'session.absolute must be at most 30d (found "31d"): lower it'],
  ['session: { idle: 10s }', 3, 'session.idle must be at least 1m (found "10s"): raise it'],
  ['session: { idle: 25h }', 3, 'session.idle must not be longer than session.absolute (found "25h"): shorten it'],
  ['service: { name: "a:b" }', 3, 'service.name must have 1 to 60 characters and no colon (found "a:b"): change it'],
  ['issuer: login.example.org', 2, 'issuer must be an https address (found "login.example.org"): write https://...'],
  [
    'issuer: http://login.example.org',
    2,
    'issuer must be https unless its host is localhost (found "http://login.example.org"): write https://...',
  ],
  [
    'issuer: https://login.example.org?a=b',
    2,
    'issuer must have no query and no fragment (found "https://login.example.org?a=b"): remove it',
  ],
  [
    'issuer: "https://login.example.org#"',
    2,
    'issuer must have no query and no fragment (found "https://login.example.org#"): remove it',
  ],
  [
    'issuer: https://login.example.org/',
    2,
    'issuer must not end in a slash (found "https://login.example.org/"): remove the slash',
  ],
  ['issuer: https://user:pw@login.example.org', 2, 'issuer must hold no user name and no password: remove them'],
  ['issuer:', 2, 'issuer is empty but must be a text: give it a value or remove the line'],
  ['listen: { port: 70000 }', 3, 'listen.port must be at most 65535 (found 70000): lower it'],
  ['listen: { port: "3000" }', 3, 'listen.port must be a number (found "3000"): change it'],
  ['proxy: { hops: 11 }', 3, 'proxy.hops must be at most 10 (found 11): lower it'],
  ['proxy: { hops: all }', 3, 'proxy.hops must be a number (found "all"): change it'],
  ['store: postgres://db/x', 3, 'store must begin with mongodb://, mongodb+srv:// or sqlite: : name a database'],
  [
    'store: "sqlite::memory:"',
    3,
    'store must name a file, because memory forgets: write sqlite:./data/self-service.db',
  ],
  ['store: mongodb://u:hunter2@db', 3, 'store must name the database: write mongodb://host/database'],
  ['store: mongodb://u:hunter2@db/x?w=1', 3, 'store must write to a majority: remove w from the address'],
  [
    'store: mongodb://db/x?readPreference=secondaryPreferred',
    3,
    'store must read from the primary: remove readPreference from the address',
  ],
  ['store: mongodb://db/x?journal=false', 3, 'store must write to the journal: remove journal=false from the address'],
  [
    'mail: { url: "outbox:", from: a@b.example }',
    2,
    'mail.url must not be outbox: when the issuer is public, because anybody could read the mails: name a mail server',
  ],
  [
    `issuer: http://localhost:3000\n${outbox}\nlisten: { host: 0.0.0.0 }`,
    2,
    'mail.url must not be outbox: when listen.host is no loopback address: listen on 127.0.0.1, or name a mail server',
  ],
  [
    'mail: { url: mail.example.org, from: a@b.example }',
    2,
    'mail.url must be smtp://host:port, smtps://host:port or outbox: : name a mail server',
  ],
  ['mail: { url: smtp://u:hunter2@m.example }', 2, 'mail.from is required: add it'],
  [
    'mail: { url: smtp://m.example, from: nobody }',
    2,
    'mail.from must be an address such as "Example sign-in <no-reply@example.org>" (found "nobody"): change it',
  ],
  [
    'mail: { url: smtp://m.example, from: "a\\r\\nBcc: b@c <a@b.example>" }',
    2,
    'mail.from must be an address such as "Example sign-in <no-reply@example.org>" (found "a\\r\\nBcc: b@c <a@b.example>"): change it',
  ],
  [
    'clients: { app: { metadata: { client_id: other } } }',
    3,
    'clients.app.metadata.client_id must be app, the name of its section: remove it',
  ],
  [
    'clients: { app: { metadata: { client_secret: change-me-change-me } } }',
    3,
    'clients.app.metadata.client_secret must be a random text of at least 16 characters: make one with "openssl rand -base64 32"',
  ],
  [
    'clients: { self-service: { metadata: {} } }',
    3,
    'clients.self-service must have another name, because the built-in client has it: rename it',
  ],
  ['tokens: { signedFor: 30s }', 3, 'tokens.signedFor must be at least 1m (found "30s"): raise it'],
  ['tokens: { signedFor: 61m }', 3, 'tokens.signedFor must be at most 1h (found "61m"): lower it'],
  ['clients: { app: { firstParty: true } }', 3, 'clients.app.metadata is required: add it'],
  [
    'clients: { app: { metadata: {}, firstparty: true } }',
    3,
    'clients.app.firstparty is no option: did you mean firstParty?',
  ],
  [
    'clients: { a b: { metadata: {} } }',
    3,
    'clients.a b must be printable ASCII without spaces, because it names a client',
  ],
  [
    'views: ./no-such-folder',
    3,
    'views must be a folder that exists (found "./no-such-folder"): make it, or remove the line',
  ],
  [
    'log: { level: verbose }',
    3,
    'log.level must be one of fatal, error, warn, info, debug, trace, silent (found "verbose"): choose one of them',
  ],
  ['polcy: {}', 3, 'polcy is no option: remove it (config/default.yaml lists all options)'],
  ['log: { level: info }\nlog: { level: warn }', 4, 'log is already given in line 3: keep one'],
  ['reset:\n  gates: 1\n  gates: 2', 5, 'reset.gates is already given in line 4: keep one'],
  [
    'store: ${NO_SUCH}',
    3,
    'store takes its value from the environment variable NO_SUCH, which is not set: set it, or write the value here',
  ],
  [
    'store: ${EMPTY}',
    3,
    'store takes its value from the environment variable EMPTY, which is not set: set it, or write the value here',
  ],
  [
    'store: ${NO SUCH}',
    3,
    'store has "${NO SUCH}", which names no environment variable: write ${NAME}, or $${ for the text itself',
  ],
  ['password: { cost: "${COST}" }', 3, 'password.cost must be at least 10: raise it'],
]

describe('a bad configuration', () => {
  it.each(table)('CF-1: refuses %j', (text, line, sentence) => {
    const env = { COST: '4', EMPTY: '' }
    expect(refusals(file(text), env)).toEqual([`x.yaml:${line}: ${sentence}`])
  })

  it('CF-1: the table has at least 40 entries', () => {
    expect(table.length).toBeGreaterThanOrEqual(40)
  })

  it.each([
    ['', 'x.yaml:1: the file must hold options, one "name: value" a line'],
    ['- a', 'x.yaml:1: the file must hold options, one "name: value" a line'],
    ['issuer: [', /^x\.yaml:1: the file is not valid YAML/],
    ['a: 1\n\tb: 2', /^x\.yaml:\d: the file is not valid YAML/],
    ['issuer: !!js/function x', /^x\.yaml:1: the file is not valid YAML/],
  ])('CF-1: refuses what is no mapping: %j', (text, sentence) => {
    const [first] = refusals(text)
    if (typeof sentence === 'string') expect(first).toBe(sentence)
    else expect(first).toMatch(sentence)
  })

  it('CF-1: the shortest file says what is missing', () => {
    expect(refusals('log: { level: info }')).toEqual([
      'x.yaml:1: issuer is required: add it',
      'x.yaml:1: mail is required: add it',
    ])
  })

  it('CF-1: says everything that is wrong at once, in the order of the file', () => {
    expect(refusals(file('password: { cost: 9 }\nlog: { level: x }')).map((line) => line.slice(0, 8))).toEqual([
      'x.yaml:3',
      'x.yaml:4',
    ])
  })

  it('LG-1: never repeats what may be a secret', () => {
    const said = [
      ...refusals(file('store: 7')),
      ...refusals(file('store: postgres://u:hunter2@db/x')),
      ...refusals(file('mail: { url: "u:hunter2@m", from: a@b.example }')),
      ...refusals(file('clients: { app: { metadata: { client_secret: hunter2 } } }')),
      ...refusals(file('log: { level: "${LEVEL}" }'), { LEVEL: 'hunter2' }),
    ]
    expect(said).toHaveLength(5)
    expect(said.join('\n')).not.toContain('hunter2')
  })
})
