// What every page promises: names, forms, focus, errors, sizes, and that nobody's text becomes mark-up.
import { describe, expect, it } from '@jest/globals'
import { problemCodes, problems } from '../../src/domain/problems.ts'
import { createViews } from '../../src/http/render.ts'
import { mails, now, pages, problemPages, render } from './samples.ts'

const views = await createViews()
const html = (name: string): string => {
  const rendering = pages[name]
  if (!rendering) throw new Error(name)
  return views.page(rendering).html
}
const everyPage = Object.entries({ ...pages, ...problemPages }).flatMap(([name, rendering]) =>
  views.languages.map(({ tag }): [string, string] => [
    `${name} ${tag}`,
    views.page({ ...rendering, language: tag }).html,
  ]),
)

/** The buttons that belong to the first form with a field, in order: the first is what Enter presses. */
const mainForm = (page: string): string =>
  /<form method="post"[\s\S]*?<\/form>/.exec(page.replace(/<form class="who"[\s\S]*?<\/form>/, ''))?.[0] ?? ''
const buttons = (form: string): string[] => [...form.matchAll(/<button[^>]*>/g)].map(([button]) => button)

describe('every page', () => {
  it.each(everyPage)(
    '%s: WB-4: has no script but the meter, no inline style and no address of somebody else',
    (_name, page) => {
      const asset = (file: string): string => `/assets/${views.assetName(file)}`
      const meter = `<script src="${asset('meter.js')}" defer data-engine="${asset('meter-engine.js')}" data-dictionary="${asset('meter-words.js')}"></script>`
      const isNew = page.includes('data-page="new-password"')
      expect(page.split(meter)).toHaveLength(isNew ? 2 : 1)
      expect(page.replace(meter, '')).not.toMatch(/<script|<style|\sstyle=|\son[a-z]+=|javascript:/i)
      expect(page).not.toMatch(/<(?:img|iframe|object|embed|base)\b/)
      expect(page.match(/<link [^>]*href="[^"]*"/g)).toEqual([
        expect.stringContaining('/assets/style.'),
        expect.stringContaining('/assets/icon.'),
      ])
    },
  )

  it.each(everyPage)('%s: says its language and name, has one heading and no value left open', (name, page) => {
    expect(page).toContain(`<html lang="${name.split(' ')[1]}">`)
    expect(page).toMatch(/<main data-page="[a-z-]+"/)
    expect(page.match(/<h1>[^<]+<\/h1>/g)).toHaveLength(1)
    expect(page).not.toMatch(/\{\w+\}|undefined|\[object|NaN/)
    expect(page).toContain('7f3k-92qd')
  })

  it('is 30 kB at most, the stylesheet included', () => {
    const style = views.asset(views.assetName('style.css'))?.body.length ?? Number.NaN
    const sizes = everyPage.map(([name, page]): [string, number] => [name, Buffer.byteLength(page) + style])
    expect(sizes.filter(([, size]) => !(size <= 30_000))).toEqual([])
  })
})

describe('a form', () => {
  it.each([
    'sign-in',
    'password',
    'prove-totp',
    'prove-email',
    'prove-recovery-codes',
    'registration-until',
    'enrol-totp',
    'enrol-email',
    'enrol-recovery-codes',
    'registered',
    'consent',
    'sign-in-forgot',
    'prove-totp-reset',
    'prove-email-reset',
    'prove-recovery-codes-reset',
    'new-password',
    'changed-reset',
    'not-me',
  ])('%s: Enter continues; everything else skips the checks of the browser', (name) => {
    const [first, ...others] = buttons(mainForm(html(name)))
    expect(first).toContain('name="action" value="continue"')
    for (const button of others) expect(button).toContain('formnovalidate')
    expect(mainForm(html(name))).toContain('<input type="hidden" name="step" value="eyJmIjoiOGYzYSIsInQiOjN9.4f1c">')
  })

  it('is posted to its own address, or where the caller says', () => {
    expect(mainForm(html('sign-in'))).toMatch(/^<form method="post">/)
    const rendering = pages['sign-in']
    if (rendering) expect(views.page({ ...rendering, action: '/a?b=1&c' }).html).toContain('action="/a?b&#x3D;1&amp;c"')
  })

  it('offers what the flow offers and no more', () => {
    const actions = (name: string): string[] =>
      [...html(name).matchAll(/name="action" value="(\w+)"/g)].map((match) => match[1] ?? '').toSorted()
    expect(actions('sign-in')).toEqual(['cancel', 'continue'])
    expect(actions('prove-email')).toEqual(['cancel', 'continue', 'other_method', 'resend', 'restart'])
    expect(actions('enrol-email')).toEqual(['cancel', 'continue', 'resend', 'restart'])
    expect(actions('registration')).toEqual(['cancel', 'continue', 'restart'])
    expect(actions('registration-skips')).toEqual(['cancel', 'continue', 'restart', 'skip'])
    expect(actions('registered')).toEqual(['continue', 'restart'])
    expect(actions('sign-in-forgot')).toEqual(['cancel', 'continue', 'forgot'])
    expect(actions('forgot')).toEqual(['cancel', 'continue', 'unlock'])
    expect(actions('forgot-missing')).toEqual(['cancel', 'continue'])
    expect(actions('new-password')).toEqual(['cancel', 'continue'])
    expect(actions('changed-reset')).toEqual(['continue'])
    expect(actions('not-me')).toEqual(['continue'])
    expect(actions('not-me-done')).toEqual([])
  })

  it('has one button for each method on offer', () => {
    expect(
      [...html('choose-method').matchAll(/<button name="method" value="([\w-]+)"/g)].map((match) => match[1]),
    ).toEqual(['totp', 'recovery-codes'])
  })

  it('PW-10: tells password managers what each field is', () => {
    expect(html('sign-in')).toMatch(/name="username"[^>]*autocomplete="username"/)
    expect(html('sign-in')).toMatch(/name="password" type="password" autocomplete="current-password"/)
    expect(html('password')).toMatch(/name="username"[^>]*autocomplete="username" value="alice@example.org" readonly/)
    expect(html('forgot')).toMatch(/name="username"[^>]*autocomplete="username"/)
    for (const field of ['new_password', 'confirm_password']) {
      const input = new RegExp(`name="${field}" type="password" autocomplete="new-password"`)
      expect(html('new-password')).toMatch(input)
    }
    // The name is there to be saved with the password; what the form posts names nobody (RS-9).
    expect(html('new-password')).toMatch(/<input [^>]*autocomplete="username" value="alice@example.org" readonly/)
    expect(html('new-password')).not.toMatch(/name="username"/)
    for (const name of ['prove-totp', 'prove-email', 'prove-recovery-codes', 'enrol-totp', 'enrol-email']) {
      expect(html(name)).toMatch(/name="code"[^>]*autocomplete="one-time-code"/)
    }
  })

  it('puts the cursor where the reader goes on', () => {
    const focused = (name: string): string[] =>
      [...html(name).matchAll(/<input id="(\w+)"[^>]* autofocus|<input class="[^"]*" id="(\w+)"[^>]* autofocus/g)].map(
        (match) => match[1] ?? match[2] ?? '',
      )
    expect(focused('sign-in')).toEqual(['username'])
    expect(focused('sign-in-wrong')).toEqual(['password'])
    expect(focused('prove-totp')).toEqual(['code'])
    // The picture comes before the code: a keyboard that opens by itself would hide it.
    expect(focused('enrol-totp')).toEqual([])
    expect(focused('enrol-totp-wrong')).toEqual(['code'])
    expect(focused('forgot')).toEqual(['username'])
    expect(focused('new-password')).toEqual(['new_password'])
    expect(focused('new-password-mismatch')).toEqual(['new_password'])
  })
})

describe('forgot password', () => {
  it('Enter asks for a reset; an unlock needs the name as well', () => {
    const [first, second, last] = buttons(mainForm(html('forgot')))
    expect(first).toContain('value="continue"')
    expect(second).toMatch(/value="unlock"(?!.*formnovalidate)/)
    expect(last).toContain('value="cancel" formnovalidate')
    expect(html('forgot')).toContain('Back to sign-in')
  })

  const pagesOfGates = ['totp', 'email', 'recovery-codes'].map((method) => `prove-${method}-reset`)

  it.each(['totp', 'email', 'recovery-codes'])('EM-1: %s as a gate shows nothing of the account', (method) => {
    const gate = (model: Record<string, unknown>) =>
      views.page(
        render({ page: { name: 'prove', method, purpose: 'reset', gate: 1, others: true, model }, cancel: true }),
      )
    const told = { address: 'a…@example.org', labels: ['Phone'], left: 7, resendAt: now }
    expect(gate({ ...told, minutes: 10 })).toEqual(gate({ minutes: 10 }))
  })

  it('EM-1: the choice of methods shows nothing of the account', () => {
    const list = (hint: object) =>
      views.page(
        render({
          page: { name: 'choose-method', purpose: 'reset', gate: 1, methods: [{ method: 'totp', ...hint }] },
          cancel: true,
        }),
      )
    expect(list({ hint: 'Phone' })).toEqual(list({}))
  })

  it('says which of the two steps it is, and who else can help', () => {
    expect(html('choose-method-reset')).toContain('Step 1 of 2: show that it is you')
    expect(html('prove-email-reset')).toContain('Step 2 of 2: show that it is you')
    for (const name of [...pagesOfGates, 'choose-method-reset']) expect(html(name)).toContain('You cannot do this?')
    expect(html('prove-recovery-codes-reset')).toContain('Help desk: extension 4711')
  })

  it('EM-1: speaks of mail without saying that one was sent', () => {
    expect(html('prove-email-reset')).toContain('If this account can be reset with a mailed code')
    expect(html('prove-email-reset')).toContain('No mail comes when')
    expect(html('prove-email')).not.toContain('No mail comes when')
  })
})

describe('a new password', () => {
  it('PW-1: its rules stand before the field and are read with it', () => {
    const page = html('new-password')
    expect(page.indexOf('at least 15 characters')).toBeLessThan(page.indexOf('id="new_password"'))
    expect(page).toMatch(/id="new_password"[^>]*aria-describedby="rules"/)
    expect(html('new-password-short')).toMatch(
      /id="new_password"[^>]*aria-invalid="true" aria-describedby="problem rules"/,
    )
    expect(html('new-password-mismatch')).toContain('at least 8 characters')
    expect(html('new-password-mismatch')).toMatch(/id="confirm_password"[^>]*aria-invalid="true"/)
  })

  it('an account without one has no present one to differ from', () => {
    expect(html('new-password')).toContain('data-rule="present"')
    expect(html('new-password-activation')).not.toContain('data-rule="present"')
    expect(html('new-password-activation')).toContain('<h1>Choose your password</h1>')
  })

  it('holds the place and the words of the meter, hidden until a script shows it', () => {
    expect(html('new-password')).toMatch(
      /<div class="meter" data-meter="new_password" data-least="15" data-words="alice@example.org\nExample sign-in"[^>]* hidden>/,
    )
  })
})

describe('this was not me', () => {
  it('RS-5: says what happened and what its one button does, and has no link that does it', () => {
    const page = html('not-me')
    expect(page).toContain('Your password at Example sign-in was reset')
    expect(page).toContain('22 November 2026 at 09:30 UTC')
    expect(page).toContain('What was changed stays changed.')
    expect(page.match(/<form/g)).toHaveLength(1)
    expect(buttons(page)).toHaveLength(1)
  })

  it('has words for what it does not know', () => {
    const model = { what: 'x.y', when: now }
    const page = render({ page: { name: 'message', message: 'not-me', model }, cancel: false })
    expect(views.page(page).html).toContain('Something about your account at Example sign-in has changed')
  })
})

describe('the language switch', () => {
  it('stands on the pages of a flow; an address of the provider keeps its own query', () => {
    for (const name of ['sign-in', 'not-me']) expect(html(name)).toContain('href="?ui_locales&#x3D;zh-TW" lang="zh-TW"')
    for (const name of ['sign-out', 'device-code', 'not-me-done', 'error-over'])
      expect(html(name)).not.toContain('ui_locales')
    const given = render({ error: 'not_found' }, { languageLinks: [{ tag: 'zh-TW', href: '/x?a=1&ui_locales=zh-TW' }] })
    expect(views.page(given).html).toContain('href="/x?a&#x3D;1&amp;ui_locales&#x3D;zh-TW"')
  })
})

describe('a problem', () => {
  it.each(problemCodes)('%s gives the status of the table and its own words', (code) => {
    const page = problemPages[code]
    if (!page) throw new Error(code)
    const { status, html: text } = views.page(page)
    expect(status).toBe(problems[code].status)
    expect(text).toContain(`data-page="error" data-problem="${code}"`)
    expect(text).toContain('You can try again in 5 minutes.')
  })

  it('stands first in the title, is announced, and is tied to its field', () => {
    const page = html('sign-in-wrong')
    expect(page).toContain('<title>That user name or password is not right – Sign in – Example sign-in</title>')
    expect(page).toMatch(/role="alert" id="problem"/)
    expect(page).toMatch(/id="password"[^>]*aria-invalid="true" aria-describedby="problem"/)
    expect(page).not.toMatch(/id="username"[^>]*aria-invalid/)
  })

  it('says when to come back in words', () => {
    expect(html('sign-in-wait')).toContain('You can try again in 2 minutes.')
    const past = render({ error: 'busy', until: now - 1 })
    expect(views.page(past).html).not.toContain('You can try again')
  })
})

describe('what methods show', () => {
  it('offers the key of an authenticator as a picture, as text and as a link', () => {
    const page = html('enrol-totp')
    expect(page).toMatch(/role="img" aria-label="[^"]+"><svg /)
    expect(page).toMatch(/data-secret[^>]*>JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP</)
    expect(page).toContain('href="otpauth://totp/')
  })

  it('refuses a drawing that holds more than shapes', () => {
    const page = pages['enrol-totp']
    if (!page || !('page' in page.shown) || page.shown.page.name !== 'enrol') throw new Error('sample')
    const { page: enrol } = page.shown
    const draw = (svg: string) => () =>
      views.page({ ...page, shown: { ...page.shown, page: { ...enrol, model: { ...enrol.model, svg } } } })
    expect(draw('<svg viewBox="0 0 1 1"><path d="M0 0"/></svg>')).not.toThrow()
    for (const svg of [
      '<svg><script>1</script></svg>',
      '<svg onload="1"></svg>',
      '<svg><a href="#"></a></svg>',
      '<svg style="x"></svg>',
      '<svg></svg><p>',
      '<svg><path style="x"/></svg>',
    ]) {
      expect(draw(svg)).toThrow('shapes only')
    }
  })

  it('offers recovery codes one by one and as a text file', () => {
    const page = html('enrol-recovery-codes')
    expect(page.match(/data-recovery-code>[0-9A-Z-]{29}</g)).toHaveLength(10)
    const file = decodeURIComponent(/href="data:text\/plain;charset&#x3D;utf-8,([^"]*)"/.exec(page)?.[1] ?? '')
    expect(file.match(/^[0-9A-Z]{4}(?:-[0-9A-Z]{4}){5}\r$/gm)).toHaveLength(10)
    expect(file).toContain('Recovery codes for Example sign-in')
  })
})

describe('forms of the provider', () => {
  it('are drawn anew, with the fields that they carry', () => {
    expect(html('sign-out')).toMatch(
      /<form id="op\.logoutForm" method="post" action="\/session\/end\/confirm">\s*<input type="hidden" name="xsrf" value="c0ffee">/,
    )
    expect(html('sign-out')).toContain('form="op.logoutForm" name="logout" value="yes"')
    expect(html('device-code')).toMatch(/name="user_code"[^>]* value="WDJB-MJHT"/)
    expect(html('device-code')).not.toContain('onfocus')
    expect(html('device-confirm')).toContain('form="op.deviceConfirmForm" name="abort" value="yes"')
  })
})

describe('mails', () => {
  const code = views.mail('code', 'en', mails['code']?.values ?? {})

  it('OC-8: a code mail says what it is for, that nobody asks for it, and has nothing to click', () => {
    for (const body of [code.text, code.html]) {
      expect(body).toContain('04719263')
      expect(body).toContain('setting up the security info')
      expect(body).toContain('Nobody will ever ask you for this code')
      expect(body).not.toMatch(/<a\b|href|https?:/i)
    }
  })

  it('LG-1: a subject, which mail servers log, holds no code', () => {
    expect(code.subject).toBe('Your code for Example sign-in')
  })

  const written = (name: string, language = 'en') =>
    views.mail(mails[name]?.template ?? '', language, mails[name]?.values ?? {})

  it('OC-8: the code of a reset says so, and that only a name was typed', () => {
    const { text, html: body } = written('code-reset')
    for (const part of [text, body]) {
      expect(part).toContain('wants to choose a new password')
      expect(part).toContain('somebody else typed your user name')
      expect(part).not.toContain('may know your password')
      expect(part).not.toMatch(/<a\b|href|https?:/i)
    }
  })

  it.each(Object.keys(mails).filter((name) => name.startsWith('notice')))(
    'RS-17: %s has words of its own in every language, a time, and no link but the denial',
    (name) => {
      for (const { tag } of views.languages) {
        const { subject, text, html: body } = written(name, tag)
        const [other, also] = [views.text(tag, 'mail.notice.other.subject', { service: 'Example sign-in' }), tag]
        expect([also, subject]).not.toEqual([also, other])
        expect(text).toContain('2026')
        const denial = mails[name]?.values['notMe']
        const links = [...body.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)
        expect(links).toEqual(denial === undefined ? [] : [denial])
        expect(text.includes('/not-me/')).toBe(denial !== undefined)
      }
    },
  )

  it('RS-17: a notice says where it was done, and what the link does', () => {
    const { text } = written('notice-password-reset')
    expect(text).toContain('When: 22 November 2026 at 09:30 UTC')
    expect(text).toContain('Browser: Firefox on Windows')
    expect(text).toContain('Network address: 203.0.113.7')
    expect(text).toContain('Opening it does nothing yet.')
    expect(written('notice-recovery-code-spent').text).toContain('You have 1 recovery code left.')
    const last = views.mail('notice', 'en', { ...mails['notice-recovery-code-spent']?.values, left: 0 })
    expect(last.text).toContain('It was the last one.')
  })

  it('EM-1: whatever kept a reset from being possible has words, also when nothing did', () => {
    for (const why of ['disabled', 'not-registered', 'out-of-scope', 'administrator']) {
      const { text } = views.mail('reset-blocked', 'en', { service: 'x', why })
      expect(text).not.toContain('cannot be reset by its owner')
    }
    expect(views.mail('reset-blocked', 'en', { service: 'x', why: 'none' }).text).toContain('cannot be reset')
  })

  it('an invitation says that its link proves nothing', () => {
    expect(written('invite').text).toContain('The link alone proves nothing.')
    expect(written('invite').text).toContain('https://login.example.org/forgot-password?ui_locales=en&why=activation\n')
    expect(written('invite').text).toContain('for 30 days')
  })

  it('EN-10: the notice lists what was added, in the reader’s language', () => {
    const notice = views.mail('registered', 'zh-TW', mails['registered']?.values ?? {})
    expect(notice.subject).toBe('您的 Example sign-in 帳戶已新增安全性資訊')
    expect(notice.text).toContain('驗證應用程式 (Phone)')
    expect(notice.text).toContain('2026年11月22日')
  })

  it('OC-8: a line break in a value starts no header and no line', () => {
    const mail = views.mail('code', 'en', {
      service: 'A\r\nBcc: eve@example.org',
      code: '1\n2',
      minutes: 10,
      purpose: 'x',
    })
    expect(mail.subject).not.toMatch(/[\r\n]/)
    expect(mail.subject).toBe('Your code for A Bcc: eve@example.org')
    expect(mail.text).not.toMatch(/^Bcc/m)
  })
})
