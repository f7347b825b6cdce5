// Signing out in a real browser: the question in both languages and themes, the way out to another origin, Back, no script.
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { defaultPolicy, passwordOf } from '../world.ts'
import { describeInChrome } from './chrome.ts'
import { look } from './look.ts'
import { type Site, site } from './site.ts'
import { press, where } from './walk.ts'
import { watch } from './watch.ts'

const policy = { ...defaultPolicy, registration: { ...defaultPolicy.registration, required: false } }

describeInChrome('signing out', (chrome) => {
  let here: Site
  beforeAll(async () => {
    here = await site({ policy })
    await here.world.add('alice')
  })
  afterAll(() => here.close())

  const end = (state: string): string =>
    `${here.world.issuer}/session/end?${new URLSearchParams({ client_id: 'rp', post_logout_redirect_uri: `${here.party}/`, state })}`

  it.each([
    ['en', 'Sign out?', 'Sign out', true],
    ['zh-TW', '要登出嗎？', '登出', true],
    ['en', 'Sign out?', 'Sign out', false],
  ])(
    '%s: the question leads to the relying party and no further; scripts: %s %s %s',
    async (locale, title, button, javaScriptEnabled) => {
      const context = await chrome().newContext({ locale, javaScriptEnabled })
      const seen = watch(context)
      const page = await context.newPage()
      await page.goto(here.start())
      await page.locator('#username').fill('alice')
      await page.locator('#password').fill(passwordOf('alice'))
      await press(page)
      expect(await where(page)).toBe('party')
      await page.goto(end('out'))
      expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(title)
      if (javaScriptEnabled) expect(await look(page, `sign-out.${locale}`)).toEqual([])
      // The form's chain of redirects ends at another origin, which `form-action` has to name.
      await page.getByRole('button', { name: button, exact: true }).click()
      await page.waitForURL((url) => url.origin === here.party)
      expect(new URL(page.url()).searchParams.get('state')).toBe('out')
      await page.goBack()
      // Asked again, the provider has nobody to sign out.
      expect(await where(page)).toBe('party')
      await page.goto(`${here.world.issuer}/session/end`)
      expect(new URL(page.url()).pathname).toBe('/session/end/success')
      if (javaScriptEnabled) expect(await look(page, `signed-out.${locale}`)).toEqual([])
      expect(seen.said).toEqual([])
      expect([...seen.origins].toSorted()).toEqual([here.world.issuer, here.party].toSorted())
      await context.close()
    },
  )
})
