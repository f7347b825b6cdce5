// WB-7: whatever a person, a relying party or an address sends is text on every page and in every mail.
import { describe, expect, it } from '@jest/globals'
import type { Page } from '../../src/flows/pages.ts'
import { createViews } from '../../src/http/render.ts'
import { safeLink, safeReturn } from '../../src/http/safe-markup.ts'
import { render, totpModel } from './samples.ts'

const views = await createViews()

const payloads = [
  '<script>alert(1)</script>',
  '"><script>alert(1)</script>',
  "'><img src=x onerror=alert(1)>",
  '<svg/onload=alert(1)>',
  '</title><script>alert(1)</script>',
  '</main><form action=//evil>',
  '" autofocus onfocus="alert(1)',
  "' onmouseover='alert(1)",
  '` onmouseover=`alert(1)',
  '<!--<img src="--><img src=x onerror=alert(1)//">',
  '<a href="javascript:alert(1)">x</a>',
  '{{constructor}}<b>{{{page}}}</b>',
  '{service}<b>{count}</b>',
  '&lt;script&gt;&#60;b&#62;<i>',
  '<iframe srcdoc="<script>alert(1)</script>">',
  '<style>*{display:none}</style>',
  '<base href="//evil.example/">',
  '<meta http-equiv=refresh content="0;url=//evil.example">',
  '\u2028<b>\u202e</b>\u0000<u>',
  '<math><mtext></p><img src onerror=alert(1)>',
  '\ud800<b>',
]

const hostile = (text: string): Page[] => [
  { name: 'sign-in', username: text },
  { name: 'password', username: text },
  { name: 'prove', method: 'totp', purpose: 'second-factor', others: true, model: { labels: [text, text] } },
  { name: 'prove', method: 'email', purpose: 'trust-gate', others: true, model: { address: text, minutes: 10 } },
  { name: 'choose-method', purpose: 'second-factor', methods: [{ method: 'totp', hint: text }, { method: text }] },
  { name: 'registration', trustGate: text, items: [[text]] },
  { name: 'enrol', method: 'totp', step: 1, steps: 2, others: false, model: { ...totpModel, secret: text, uri: text } },
  { name: 'enrol', method: 'recovery-codes', step: 1, steps: 1, others: false, model: { codes: [text], date: text } },
  { name: 'registered', credentials: [{ method: text, hint: text, added: true }] },
  { name: 'consent', client: text, scopes: [text], claims: [text], uri: text },
  { name: 'message', message: 'continue', model: { url: text } },
  { name: 'sign-in', username: text, forgot: true },
  { name: 'forgot', username: text, unlock: true },
  { name: 'new-password', why: 'reset', username: text, least: 15 },
  { name: 'prove', method: 'email', purpose: 'reset', gate: 1, others: true, model: { address: text, minutes: 10 } },
  { name: 'message', message: 'not-me', model: { what: text, when: 0 } },
  { name: 'message', message: 'device-confirm', model: { form: '<form action="/">', client: text, code: text } },
]

/** Tags with the names of their attributes: the shape of a page, without its texts. */
const shape = (html: string): string[] =>
  [
    ...html
      .replaceAll('<strong class="whole">', '<strong>')
      .matchAll(/<\/?([a-z][a-z0-9]*)((?:\s+[\w:.-]+(?:="[^"]*")?)*)\s*\/?>/gi),
  ].map(
    ([, tag, attributes = '']) =>
      `${tag}${[...attributes.matchAll(/\s([\w:.-]+)(?:="[^"]*")?/g)].map((one) => ` ${one[1]}`).join('')}`,
  )

describe('a page', () => {
  const harmless = hostile('plain').map((page) => shape(show(page, 'plain')))

  function show(page: Page, text: string): string {
    const shown = { page, username: text, client: text, step: text, cancel: true }
    return views.page(render(shown, { reference: text, helpdesk: text, service: { name: text }, action: text })).html
  }

  it.each(payloads)('WB-7: has the same tags and attributes with %j as with a plain word', (payload) => {
    for (const [index, page] of hostile(payload).entries()) {
      const html = show(page, payload)
      expect(shape(html)).toEqual(harmless[index])
      expect(html.match(/</g)?.length).toBe(shape(html).length + 1) // and the doctype
    }
  })

  it.each(payloads)('WB-7: shows an error text %j as text', (payload) => {
    const plain = shape(views.page(render({ error: 'authorization_request', detail: 'x', restart: 'x' })).html)
    expect(
      shape(views.page(render({ error: 'authorization_request', detail: payload, restart: payload })).html),
    ).toEqual(plain)
  })
})

describe('a mail', () => {
  it.each(payloads)('WB-7: shows %j as text', (payload) => {
    const values = { service: payload, code: payload, minutes: 10, purpose: payload }
    const plain = shape(views.mail('code', 'en', { service: 'x', code: 'x', minutes: 10, purpose: 'x' }).html)
    expect(shape(views.mail('code', 'en', values).html)).toEqual(plain)
    const notice = { service: payload, list: payload, when: 0, helpdesk: payload }
    for (const template of ['notice', 'reset-blocked', 'invite']) {
      const texts = ['service', 'what', 'why', 'where', 'who', 'item', 'username', 'helpdesk']
      const all = (word: string) => ({
        ...Object.fromEntries(texts.map((name) => [name, word])),
        ...Object.fromEntries(['link', 'notMe'].map((name) => [name, `https://x.example/${word}`])),
        when: 0,
        left: 2,
        days: 3,
      })
      expect(shape(views.mail(template, 'en', all(payload)).html)).toEqual(
        shape(views.mail(template, 'en', all('x')).html),
      )
    }
    const plainNotice = shape(views.mail('registered', 'en', { service: 'x', list: 'x', when: 0, helpdesk: 'x' }).html)
    expect(shape(views.mail('registered', 'en', notice).html)).toEqual(plainNotice)
  })
})

describe('a link', () => {
  it.each([
    'javascript:alert(1)',
    ' java\tscript:alert(1)',
    'JAVASCRIPT:alert(1)',
    '\u0001javascript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    '//evil.example',
    '/\\evil.example',
  ])('WB-8: %j leads nowhere', (link) => {
    expect(safeLink(link)).toBeUndefined()
    expect(safeReturn(link)).toBeUndefined()
  })

  it('goes where it says otherwise', () => {
    for (const link of [
      'https://a.example/b?c=d',
      '/interaction/x',
      'mailto:a@example.org',
      'tel:+4930',
      '?ui_locales=en',
    ]) {
      expect(safeLink(link)).toBe(link)
    }
    expect(safeLink('com.example.app:/cb')).toBeUndefined()
    expect(safeReturn('com.example.app:/cb')).toBe('com.example.app:/cb')
  })
})
