// Which language a reader gets.
import { describe, expect, it } from '@jest/globals'
import { acceptedLanguages, negotiate } from '../../src/http/negotiate.ts'

const offered = ['en', 'zh-TW']

describe('negotiate', () => {
  it.each([
    [{}, 'en'],
    [{ uiLocales: 'zh-TW' }, 'zh-TW'],
    [{ uiLocales: 'ZH-tw' }, 'zh-TW'],
    [{ uiLocales: 'fr zh-TW en' }, 'zh-TW'],
    [{ uiLocales: 'fr', cookie: 'zh-TW', acceptLanguage: 'en' }, 'zh-TW'],
    [{ cookie: 'zh-TW', acceptLanguage: 'en' }, 'zh-TW'],
    [{ uiLocales: 'en', cookie: 'zh-TW' }, 'en'],
    [{ acceptLanguage: 'zh-HK,zh;q=0.9,en;q=0.8' }, 'zh-TW'],
    [{ acceptLanguage: 'zh-Hant' }, 'zh-TW'],
    [{ acceptLanguage: 'zh' }, 'zh-TW'],
    [{ acceptLanguage: 'en-GB,en;q=0.5' }, 'en'],
    [{ acceptLanguage: 'de, en;q=0.1, zh-TW;q=0.9' }, 'zh-TW'],
    [{ acceptLanguage: 'zh-TW;q=0, en;q=0.1' }, 'en'],
    [{ acceptLanguage: '*' }, 'en'],
    [{ acceptLanguage: 'tlh' }, 'en'],
  ])('%j: %s', (wishes, tag) => {
    expect(negotiate(offered, wishes)).toBe(tag)
  })

  it('prefers the same script', () => {
    expect(negotiate(['en', 'zh-CN', 'zh-TW'], { acceptLanguage: 'zh-HK' })).toBe('zh-TW')
    expect(negotiate(['en', 'zh-TW', 'zh-CN'], { acceptLanguage: 'zh-SG' })).toBe('zh-CN')
  })

  it.each([
    '../../etc/passwd',
    '__proto__',
    '"><script>',
    'x'.repeat(10_000),
    '\u0000',
    'en\r\nSet-Cookie: a=b',
    ';;;,,,q=;',
  ])('WB-7: %j gives a language on offer', (hostile) => {
    expect(offered).toContain(negotiate(offered, { uiLocales: hostile, cookie: hostile, acceptLanguage: hostile }))
  })

  it('reads the header by quality, and not without end', () => {
    expect(acceptedLanguages('a;q=0.1, b, c;q=0.5;x=y, d;q=2, e;q=x')).toEqual(['b', 'c', 'a'])
    expect(acceptedLanguages(Array.from({ length: 500 }, () => 'en').join(',')).length).toBeLessThanOrEqual(20)
  })
})
