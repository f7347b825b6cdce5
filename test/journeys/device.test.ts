// The device flow with our pages: a code typed on the phone, sign-in and registration there, tokens on the television.
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import * as client from 'openid-client'
import { hidden } from '../browser.ts'
import { type Database, eachStore } from '../stores.ts'
import { passwordOf, register, type World, world } from '../world.ts'
import { at } from './steps.ts'
import { totpCode } from '../authenticator.ts'

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

eachStore('device flow', (database) => {
  let shared: Database
  let w: World
  beforeEach(async () => {
    shared ??= await database()
    w = await world({ store: await shared.open() })
  })
  afterEach(() => w.close())

  const television = async () => {
    const config = await client.discovery(new URL(w.issuer), 'rp', 'rp-secret', undefined, {
      execute: [client.allowInsecureRequests],
    })
    const started = await client.initiateDeviceAuthorization(config, { scope: 'openid profile' })
    const poll = () => client.genericGrantRequest(config, GRANT, { device_code: started.device_code })
    return { started, poll }
  }

  /** Types the code and confirms it, as far as the page that follows. */
  async function connect(b: ReturnType<World['browser']>, code: string): Promise<void> {
    await b.open(`${w.issuer}/device`)
    expect(b.now?.html).toContain('op.deviceInputForm')
    await b.open(await b.request(`${w.issuer}/device`, { form: { ...hidden(b.now?.html ?? ''), user_code: code } }))
    expect(b.now?.html).toContain('op.deviceConfirmForm')
    const form = { ...hidden(b.now?.html ?? ''), confirm: 'yes' }
    await b.open(await b.request(`${w.issuer}/device`, { form }))
  }

  it('EN-3: the device waits until sign-in and registration are complete', async () => {
    const account = await w.add('viewer')
    const { started, poll } = await television()
    await expect(poll()).rejects.toMatchObject({ error: 'authorization_pending' })
    const b = w.browser()
    await connect(b, started.user_code.toLowerCase())
    expect(at(b)).toBe('sign-in')
    await b.submit({ username: 'viewer', password: passwordOf('viewer'), action: 'continue' })
    expect(at(b)).toBe('registration')
    await expect(poll()).rejects.toMatchObject({ error: 'authorization_pending' })
    await b.submit({ action: 'continue' })
    await b.submit({ code: await w.code('viewer@example.org'), action: 'continue' })
    await b.submit({ code: totpCode(b.secret, w.clock.now()), action: 'continue' })
    await b.submit({ acknowledged: 'yes', action: 'continue' })
    await b.submit({ action: 'continue' })
    expect(at(b)).toBe('message')
    const tokens = await poll()
    expect(tokens.claims()).toMatchObject({ sub: account.id, amr: ['pwd', 'otp', 'mfa'] })
    await expect(poll()).rejects.toMatchObject({ error: 'invalid_grant' })
  })

  it('somebody who is signed in only confirms; a wrong code is told so; stopping is told to the device', async () => {
    const account = await w.add('again')
    const b = w.browser()
    await register(w, b, 'again')
    const first = await television()
    await connect(b, first.started.user_code)
    expect(at(b)).toBe('message')
    expect((await first.poll()).claims()).toMatchObject({ sub: account.id })

    const second = await television()
    await b.open(`${w.issuer}/device`)
    const wrong = { ...hidden(b.now?.html ?? ''), user_code: 'ZZZZ-ZZZZ' }
    await b.open(await b.request(`${w.issuer}/device`, { form: wrong }))
    expect(b.now?.html).toContain('role="alert"')
    const right = { ...hidden(b.now?.html ?? ''), user_code: second.started.user_code }
    await b.open(await b.request(`${w.issuer}/device`, { form: right }))
    const stop = { ...hidden(b.now?.html ?? ''), abort: 'yes' }
    await b.open(await b.request(`${w.issuer}/device`, { form: stop }))
    await expect(second.poll()).rejects.toMatchObject({ error: 'access_denied' })
  })

  it('cancel in the wizard is told to the device', async () => {
    await w.add('leaver')
    const { started, poll } = await television()
    const b = w.browser()
    await connect(b, started.user_code)
    await b.submit({ username: 'leaver', password: passwordOf('leaver'), action: 'continue' })
    await b.submit({ action: 'cancel' })
    expect(b.now?.html).toContain('data-page=')
    await expect(poll()).rejects.toMatchObject({ error: 'access_denied' })
  })
})
