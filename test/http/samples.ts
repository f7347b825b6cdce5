// One rendering of every page and mail, with fixed values: what the golden files hold and the gallery draws.
import { problemCodes } from '../../src/domain/problems.ts'
import type { Page, Shown } from '../../src/flows/pages.ts'
import type { MailValues, Rendering } from '../../src/http/render.ts'
import { qrCode } from '../../src/methods/totp/qr.ts'

export const now = Date.UTC(2026, 10, 22, 9, 30)
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

const uri =
  'otpauth://totp/Example%20sign-in:alice%40example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Example%20sign-in'

export const totpModel = { secret: 'JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP', uri, svg: qrCode(uri) }

const codes = [
  '7K2M-9QXA-B4TN-0WZR-H8JV-3CYD',
  'P5GE-1SRB-6MKF-X9TQ-4NAW-ZD72',
  '0HVC-8YJ3-RWE5-2GPN-TM6X-KQB1',
  'S4AZ-FD9K-7C1H-QJ0M-YV8B-6R3T',
  'N2XP-W5G8-3EKT-A7SZ-9DQF-0MCJ',
  'B6RY-4HV1-ZNT2-K8WX-5PGA-E3S7',
  'J9QD-M0CF-8XBR-6Y3V-H1TK-WZ4N',
  '2GEP-7ASK-T5JQ-D9MC-X0RF-B8HY',
  'V3WN-Z1Y6-4PGS-E7KA-QC5T-9JX2',
  'K8MB-0DRH-F6VX-3TNW-2ZQJ-Y4AG',
]

const shown = (page: Page, more: Partial<Shown> = {}): Shown => ({
  page,
  step: 'eyJmIjoiOGYzYSIsInQiOjN9.4f1c',
  client: 'Staff portal',
  cancel: true,
  ...more,
})
const alice = { username: 'alice@example.org' }

const service = { name: 'Example sign-in' }

export const render = (content: Rendering['shown'], more: Partial<Rendering> = {}): Rendering => ({
  shown: content,
  language: 'en',
  reference: '7f3k-92qd',
  helpdesk: 'https://help.example.org/',
  service,
  assets: '/assets',
  now,
  ...more,
})

const logout =
  '<form id="op.logoutForm" method="post" action="/session/end/confirm"><input type="hidden" name="xsrf" value="c0ffee"/></form>'
const deviceInput = `<form id="op.deviceInputForm" novalidate method="post" action="/device">
  <input type="hidden" name="xsrf" value="c0ffee"/>
  <input
    value="WDJB-MJHT" type="text" name="user_code" placeholder="Enter code" onfocus="this.select(); this.onfocus = undefined;" autofocus autocomplete="off"></input>
  </form>`
const deviceConfirm = `<form id="op.deviceConfirmForm" method="post" action="/device">
<input type="hidden" name="xsrf" value="c0ffee"/>
<input type="hidden" name="user_code" value="WDJB-MJHT"/>
<input type="hidden" name="confirm" value="yes"/>
</form>`

const secondFactor = { name: 'prove', purpose: 'second-factor', others: true } as const
const mailed = { address: 'a…@example.org', minutes: 10, resendAt: now + MINUTE }

const reset = { purpose: 'reset' } as const
const gate = { name: 'prove', gate: 1, others: true } as const
const resetMethods = [{ method: 'totp', hint: 'Phone' }, { method: 'email' }, { method: 'recovery-codes' }]
const newPassword = { name: 'new-password', why: 'reset', username: 'alice@example.org', least: 15 } as const

/** Every page, and the states of it that look different. */
export const pages: Readonly<Record<string, Rendering>> = {
  'sign-in': render(shown({ name: 'sign-in' })),
  'sign-in-wrong': render(shown({ name: 'sign-in', username: 'alice' }, { problem: { problem: 'wrong_password' } })),
  'sign-in-wait': render(
    shown(
      { name: 'sign-in', username: 'alice' },
      { problem: { problem: 'too_many_passwords', until: now + 2 * MINUTE } },
    ),
  ),
  'sign-in-forgot': render(shown({ name: 'sign-in', forgot: true })),
  'sign-in-reset-expired': render(shown({ name: 'sign-in', forgot: true }, { problem: { problem: 'change_expired' } })),
  forgot: render(shown({ name: 'forgot', unlock: true })),
  'forgot-missing': render(
    shown({ name: 'forgot', unlock: false, username: '' }, { problem: { problem: 'username_missing' } }),
  ),
  'choose-method-reset': render(shown({ ...reset, name: 'choose-method', gate: 1, methods: resetMethods })),
  'choose-method-reset-second': render(
    shown({ ...reset, name: 'choose-method', gate: 2, methods: resetMethods.slice(1) }),
  ),
  'prove-totp-reset': render(shown({ ...reset, ...gate, method: 'totp', model: { labels: ['Phone'] } })),
  'prove-email-reset': render(
    shown({ ...reset, ...gate, gate: 2, method: 'email', model: mailed }, { problem: { problem: 'wrong_code' } }),
  ),
  'prove-recovery-codes-reset': render(
    shown({ ...reset, ...gate, others: false, method: 'recovery-codes', model: { left: 9 } }),
    { helpdesk: 'extension 4711' },
  ),
  'new-password': render(shown(newPassword)),
  'new-password-short': render(shown(newPassword, { problem: { problem: 'password_too_short' } })),
  'new-password-mismatch': render(
    shown({ ...newPassword, why: 'compromised', least: 8 }, { ...alice, problem: { problem: 'password_mismatch' } }),
  ),
  'new-password-activation': render(shown({ ...newPassword, why: 'activation' })),
  ...Object.fromEntries(
    (['change', 'temporary', 'flagged'] as const).map((why) => [
      `new-password-${why}`,
      render(shown({ ...newPassword, why }, alice)),
    ]),
  ),
  ...Object.fromEntries(
    (['reset', 'activation', 'unlock'] as const).map((what) => [
      `changed-${what}`,
      render(shown({ name: 'changed', what, signIn: true }, { cancel: false })),
    ]),
  ),
  'changed-change': render(shown({ name: 'changed', what: 'change', signIn: false }, { ...alice, cancel: false })),
  password: render(shown({ name: 'password', username: 'alice@example.org' })),
  'prove-totp': render(shown({ ...secondFactor, method: 'totp', model: {} }, alice)),
  'prove-totp-clock': render(
    shown(
      { ...secondFactor, method: 'totp', model: { labels: ['Phone', 'Tablet'] } },
      {
        ...alice,
        problem: { problem: 'wrong_code_clock' },
      },
    ),
  ),
  'prove-email': render(
    shown(
      { name: 'prove', method: 'email', purpose: 'trust-gate', step: 1, steps: 3, others: true, model: mailed },
      {
        ...alice,
        mailSlow: true,
      },
    ),
  ),
  'prove-recovery-codes': render(shown({ ...secondFactor, method: 'recovery-codes', model: { left: 9 } }, alice)),
  'choose-method': render(
    shown(
      {
        name: 'choose-method',
        purpose: 'second-factor',
        methods: [{ method: 'totp', hint: 'Phone' }, { method: 'recovery-codes' }],
      },
      alice,
    ),
  ),
  'choose-method-enrol': render(
    shown(
      {
        name: 'choose-method',
        purpose: 'enrol',
        step: 2,
        steps: 3,
        methods: [{ method: 'totp' }, { method: 'email' }],
      },
      alice,
    ),
  ),
  registration: render(
    shown({ name: 'registration', trustGate: 'email', items: [['totp'], ['recovery-codes']] }, alice),
  ),
  'registration-until': render(
    shown(
      {
        name: 'registration',
        trustGate: 'email',
        items: [['totp', 'email'], ['recovery-codes']],
        grace: { skips: 2, until: now + 3 * DAY },
      },
      alice,
    ),
  ),
  'registration-skips': render(
    shown({ name: 'registration', trustGate: 'predicate', items: [['recovery-codes']], grace: { skips: 2 } }, alice),
  ),
  'enrol-email': render(
    shown({ name: 'enrol', method: 'email', step: 1, steps: 3, others: false, model: mailed }, alice),
  ),
  'enrol-totp': render(
    shown({ name: 'enrol', method: 'totp', step: 2, steps: 3, others: true, model: totpModel }, alice),
  ),
  'enrol-totp-wrong': render(
    shown(
      { name: 'enrol', method: 'totp', step: 2, steps: 3, others: true, model: totpModel },
      {
        ...alice,
        problem: { problem: 'wrong_code' },
      },
    ),
  ),
  'enrol-recovery-codes': render(
    shown(
      {
        name: 'enrol',
        method: 'recovery-codes',
        step: 3,
        steps: 3,
        others: false,
        model: { codes, date: '2026-11-22' },
      },
      alice,
    ),
  ),
  registered: render(
    shown(
      {
        name: 'registered',
        credentials: [
          { method: 'totp', hint: 'Phone', added: true },
          { method: 'email', hint: 'a…@example.org', added: true },
          { method: 'recovery-codes', added: false },
        ],
      },
      { ...alice, cancel: false },
    ),
  ),
  consent: render(
    shown(
      {
        name: 'consent',
        client: 'Staff portal',
        scopes: ['openid', 'profile', 'offline_access', 'calendar:read'],
        claims: ['groups', 'shoe_size'],
        uri: 'https://portal.example.org/about',
      },
      alice,
    ),
  ),
  continue: render(
    shown(
      { name: 'message', message: 'continue', model: { url: 'https://login.example.org/auth/8f3a' } },
      { cancel: false },
    ),
  ),
  'continue-form': render(shown({ name: 'message', message: 'continue' }, { cancel: false })),
  'signed-out': render(shown({ name: 'message', message: 'signed-out' }, { cancel: false })),
  'sign-out': render(shown({ name: 'message', message: 'sign-out', model: { form: logout } }, { cancel: false })),
  'device-code': render(
    shown({ name: 'message', message: 'device-code', model: { form: deviceInput, error: 'wrong' } }, { cancel: false }),
  ),
  'device-confirm': render(
    shown(
      {
        name: 'message',
        message: 'device-confirm',
        model: { form: deviceConfirm, client: 'Living room', code: 'WDJB-MJHT' },
      },
      { cancel: false },
    ),
  ),
  'device-done': render(shown({ name: 'message', message: 'device-done' }, { cancel: false })),
  'not-me': render(
    shown({ name: 'message', message: 'not-me', model: { when: now, what: 'password.reset' } }, { cancel: false }),
  ),
  'not-me-done': render(shown({ name: 'message', message: 'not-me-done' }, { cancel: false })),
  done: render(shown({ name: 'message', message: 'done', model: { action: 'change_password' } }, { cancel: false })),
  cancelled: render(
    shown({ name: 'message', message: 'cancelled', model: { action: 'change_password' } }, { cancel: false }),
  ),
  'error-changes-frozen': render({ error: 'changes_frozen' }),
  'error-link-over': render({ error: 'link_over' }),
  'error-leave': render({ error: 'no_usable_method', back: { step: '3.second-factor.x', client: 'Lamp shop' } }),
  'error-needs-access-pass': render({ error: 'needs_access_pass' }),
  'error-over': render({ error: 'interaction_over', restart: 'https://portal.example.org/' }),
  'error-request': render(
    {
      error: 'authorization_request',
      detail: 'redirect_uri did not match any of the client’s registered redirect_uris',
    },
    { languageLinks: [] },
  ),
  'error-unavailable': render({ error: 'unavailable', until: now + 30_000 }, { helpdesk: 'extension 4711' }),
}

/** Every problem as an error page: texts, not looks. */
export const problemPages: Readonly<Record<string, Rendering>> = Object.fromEntries(
  problemCodes.map((code) => [code, render({ error: code, until: now + 5 * MINUTE })]),
)

const where = {
  service: service.name,
  when: now,
  where: '203.0.113.7, Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0',
  helpdesk: 'https://help.example.org/',
}
const notMe = 'https://login.example.org/self-service/not-me/4nJx2sWq8rT6vKpL0bYzDg'
const notices: readonly ({ what: string } & MailValues)[] = [
  { what: 'password.reset', notMe },
  { what: 'password.changed', notMe },
  { what: 'password.activated', notMe },
  { what: 'account.unlocked', notMe },
  { what: 'sign-in.locked' },
  { what: 'registration.item', item: 'totp\tPhone', notMe },
  { what: 'recovery-code.spent', left: 1, notMe },
  { what: 'account.frozen', notMe },
  { what: 'account.updated', notMe },
  { what: 'credential.disabled', notMe },
  { what: 'admin.reset', who: 'bob@example.org', where: '' },
]

export const mails: Readonly<Record<string, { template: string; values: MailValues }>> = {
  code: { template: 'code', values: { service: service.name, code: '04719263', minutes: 10, purpose: 'enrol' } },
  'code-prove': {
    template: 'code',
    values: { service: service.name, code: '04719263', minutes: 10, purpose: 'prove' },
  },
  'code-reset': {
    template: 'code',
    values: { service: service.name, code: '04719263', minutes: 10, purpose: 'reset' },
  },
  ...Object.fromEntries(
    notices.map((more) => [
      `notice-${more.what.replaceAll('.', '-')}`,
      { template: 'notice', values: { ...where, ...more } },
    ]),
  ),
  'reset-blocked': { template: 'reset-blocked', values: { ...where, why: 'not-registered' } },
  ...Object.fromEntries(
    ['disabled', 'out-of-scope', 'administrator'].map((why) => [
      `reset-blocked-${why}`,
      { template: 'reset-blocked', values: { service: service.name, why } },
    ]),
  ),
  invite: {
    template: 'invite',
    values: {
      service: service.name,
      username: 'alice@example.org',
      link: 'https://login.example.org/forgot-password?ui_locales=en&why=activation',
      days: 30,
      helpdesk: 'https://help.example.org/',
    },
  },
  registered: {
    template: 'registered',
    values: {
      service: service.name,
      list: 'totp\tPhone\nemail\ta…@example.org\nrecovery-codes',
      when: now,
      helpdesk: 'https://help.example.org/',
    },
  },
}
