// Notices name a browser in words, and make nothing up.
import { describe, expect, it } from '@jest/globals'
import { userAgent } from '../../src/http/user-agent.ts'

const like = '(KHTML, like Gecko)'

describe('a User-Agent header', () => {
  it.each([
    ['Firefox', 'Linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'],
    [
      'Chrome',
      'macOS',
      `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 ${like} Chrome/142.0 Safari/537.36`,
    ],
    [
      'Edge',
      'Windows',
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 ${like} Chrome/142.0 Safari/537.36 Edg/142.0`,
    ],
    [
      'Safari',
      'iPhone',
      `Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 ${like} Version/18.6 Mobile/15E148 Safari/604.1`,
    ],
    [
      'Chrome',
      'Android',
      `Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 ${like} Chrome/142.0 Mobile Safari/537.36`,
    ],
    [
      'Samsung Internet',
      'Android',
      `Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 ${like} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36`,
    ],
  ])('is %s on %s', (browser, system, header) => {
    expect(userAgent(header)).toEqual({ browser, system })
  })

  it.each(['', 'curl/8.5.0', 'https://evil.example/ Your account is locked, call +1 555'])(
    '%j tells nothing',
    (header) => {
      expect(userAgent(header)).toEqual({})
    },
  )
})
