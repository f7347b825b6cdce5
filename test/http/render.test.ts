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
  it.each(everyPage)('%s: WB-4: has no script, no inline style and no address of somebody else', (_name, page) => {
    expect(page).not.toMatch(/<script|<style|\sstyle=|\son[a-z]+=|javascript:/i)
    expect(page).not.toMatch(/<(?:img|iframe|object|embed|base)\b/)
    expect(page.match(/<link [^>]*href="[^"]*"/g)).toEqual([
      expect.stringContaining('/assets/style.'),
      expect.stringContaining('/assets/icon.'),
    ])
  })

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
  })
})

describe('the language switch', () => {
  it('stands on the pages of a flow; an address of the provider keeps its own query', () => {
    expect(html('sign-in')).toContain('href="?ui_locales&#x3D;zh-TW" lang="zh-TW"')
    for (const name of ['sign-out', 'device-code', 'error-over']) expect(html(name)).not.toContain('ui_locales')
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
