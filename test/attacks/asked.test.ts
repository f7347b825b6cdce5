// What a request asks, bent: a status without its page, a proof older than it says, a renewal refused to who proved enough.
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { type Configuration, interactionPolicy } from 'oidc-provider'
import { acr } from '../../src/flows/finish.ts'
import { totpCode } from '../authenticator.ts'
import { type Browser, hidden, type Response } from '../browser.ts'
import { choose, enter, newPassword, owner, type Owner } from '../journeys/owner.ts'
import { at, returned } from '../journeys/steps.ts'
import { eachStore } from '../stores.ts'
import { defaultPolicy, passwordOf, RP, type World, world } from '../world.ts'
import { back } from './attacker.ts'

const prompts = ['change_password', 'forgot_password', 'security_info_registration']
const nobody = { ...defaultPolicy.registration, scope: 'none' as const }

/** A prompt that the host adds, and answers on a page of its own. */
function terms(): NonNullable<Configuration['interactions']>['policy'] {
  const policy = interactionPolicy.base()
  const { Check, Prompt } = interactionPolicy
  const asked = new Check('terms', 'the terms have to be accepted', 'interaction_required', ({ oidc }) => {
    return oidc.params?.['ui_locales'] === 'terms' && !oidc.result?.['terms']
  })
  policy.add(new Prompt({ name: 'terms', requestable: true }, asked))
  return policy
}

async function connect({ issuer }: World, b: Browser, code: string): Promise<void> {
  const page = await b.open(`${issuer}/device?user_code=${code}`)
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.html)?.[1] ?? ''
  await b.open(await b.request(`${issuer}/device`, { form: { xsrf, user_code: code, confirm: 'yes' } }))
}

eachStore('what was asked', (database) => {
  let w: World
  beforeAll(async () => {
    w = await world({
      store: await (await database()).open(),
      policy: { ...defaultPolicy, registration: nobody, clients: { rp: { prompts } } },
      host: {
        issueRefreshToken: async () => true,
        interactions: { policy: terms(), url: (_ctx, { uid }) => `/hosts-own/${uid}` },
      },
    })
  })
  afterAll(() => w.close())

  const factor = (b: Browser, { secret }: Owner): Promise<Response> => {
    w.clock.tick(30_000)
    return b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
  }

  /** A session with the password alone, made before the account had what it has now. */
  async function late(username: string, methods: ('totp' | 'email' | 'recovery-codes')[]) {
    const who = await owner(w, username, { methods })
    const edit = async (credentials: Awaited<ReturnType<World['account']>>['credentials']): Promise<void> => {
      const account = await w.account(username)
      await w.store.accounts.replace({ ...account, credentials, version: account.version + 1 }, account.version)
    }
    const { credentials } = await w.account(username)
    await edit([])
    const b = w.browser()
    await enter(w, b, who)
    await edit(credentials)
    return { b, who }
  }

  it('a step-up in front of a registration that was asked for settles nothing that it did not ask', async () => {
    const { b, who } = await late('partly', ['totp'])
    await b.open(w.authorize({ prompt: 'security_info_registration' }))
    expect(at(b)).toBe('prove totp')
    await factor(b, who)
    // Not "skipped": the wizard follows, in the same flow, and the factor is not asked for twice.
    expect(at(b)).toBe('password')
    await b.submit({ password: passwordOf('partly'), action: 'continue' })
    expect(at(b)).toBe('registration')
    await b.submit({ action: 'continue' })
    while (b.page.page === 'enrol') {
      const code = b.page.method === 'email' ? { code: await w.code('partly@example.org') } : { acknowledged: 'yes' }
      await b.submit({ ...code, action: 'continue' })
    }
    expect(at(b)).toBe('registered')
    const done = await b.submit({ action: 'continue' })
    expect(returned(done)).toMatchObject({ action_status: 'done' })
    expect((await w.exchange(done)).claims).toMatchObject({ action_status: 'done', acr: acr.multiFactor })
  })

  it('a status of two actions is nobody’s who did one of them', async () => {
    const [a, c] = [await owner(w, 'did-one'), await owner(w, 'did-the-other')]
    const b = w.browser()
    await b.open(w.authorize({ prompt: 'forgot_password change_password' }))
    await b.submit({ username: a.username, action: 'continue' })
    await b.submit({ method: 'totp' })
    await factor(b, a)
    await b.submit({ method: 'recovery-codes' })
    await b.submit({ code: a.codes.shift() ?? '', action: 'continue' })
    await choose(b, newPassword())
    await b.submit({ action: 'continue' })
    await b.submit({ username: c.username, password: passwordOf(c.username), action: 'continue' })
    await factor(b, c)
    expect(at(b)).toBe('password')
    await b.submit({ password: passwordOf(c.username), action: 'continue' })
    const end = await choose(b, newPassword())
    expect(returned(end)).not.toHaveProperty('action_status')
    expect((await w.exchange(end)).claims).not.toHaveProperty('action_status')
  })

  it('OI-3: an essential pwd in a token of two factors costs nobody the renewal where mfa is required', async () => {
    const who = await owner(w, 'renewing')
    const b = w.browser()
    Object.assign(w.policy, { clients: { rp: { prompts, mfa: 'required' } } })
    const claims = JSON.stringify({ id_token: { acr: { essential: true, values: [acr.password] } } })
    const tokens = await w.exchange(await enter(w, b, who, { authorize: { claims } }))
    expect(tokens.claims).toMatchObject({ acr: acr.password, amr: ['pwd', 'otp', 'mfa'] })
    const refreshed = await back(w, '/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token ?? '',
    })
    Object.assign(w.policy, { clients: { rp: { prompts } } })
    expect(refreshed.status).toBe(200)
  })

  it('CH-1, EN-13: changing the password again and again makes no factor younger', async () => {
    const who = await owner(w, 'sliding')
    const b = w.browser()
    let password = passwordOf('sliding')
    const { auth_time: since } = (await w.exchange(await enter(w, b, who))).claims
    for (const page of ['new-password', 'prove totp']) {
      w.clock.tick(4 * 60_000)
      await b.open(w.authorize({ prompt: 'change_password' }))
      await b.submit({ password, action: 'continue' })
      expect(at(b)).toBe(page)
      if (page === 'prove totp') await factor(b, who)
      password = newPassword()
      const { claims } = await w.exchange(await choose(b, password))
      expect(claims).toMatchObject({ amr: ['pwd', 'otp', 'mfa'] })
      if (page === 'new-password') expect(claims['auth_time']).toBe(since)
      else expect(Number(claims['auth_time'])).toBeGreaterThanOrEqual(Number(since) + 8 * 60)
    }
  })

  it('OI-2: a step-up that takes longer than max_age ends with a new sign-in, once', async () => {
    const { b, who } = await late('slow', ['totp', 'email', 'recovery-codes'])
    // The provider's clock is the real one: here its verdict is ours, so that nobody has to wait.
    const { past } = w.provider.Session.prototype
    let over = false
    w.provider.Session.prototype.past = () => over
    try {
      await b.open(w.authorize({ max_age: '300' }))
      expect(at(b)).toBe('prove totp')
      over = true
      await factor(b, who)
      expect(at(b)).toBe('sign-in')
      // Also a sign-in that takes longer than it may age is one: no page comes a third time.
      await b.submit({ username: 'slow', password: passwordOf('slow'), action: 'continue' })
      expect(returned(await factor(b, who))).toHaveProperty('code')
    } finally {
      w.provider.Session.prototype.past = past
    }
  })

  it('ASVS 7.4.1: an answer that waits while its user signs out elsewhere signs nobody in', async () => {
    const { b, who } = await late('waiting', ['totp', 'email', 'recovery-codes'])
    await b.open(w.authorize({ acr_values: acr.multiFactor }))
    const page = b.now as Response
    w.clock.tick(30_000)
    const form = { ...hidden(page.html), code: totpCode(who.secret, w.clock.now()), action: 'continue' }
    const answered = await b.request(page.url, { form })
    expect(answered.status).toBe(303)
    // The other tab.
    await b.open(`${w.issuer}/session/end`)
    await b.open(
      await b.request(`${w.issuer}/session/end/confirm`, { form: { ...hidden(b.now?.html ?? ''), logout: 'yes' } }),
    )
    expect(returned(await b.open(w.authorize({ prompt: 'none' })))).toMatchObject({ error: 'login_required' })
    await b.open(page.url)
    expect(at(b)).toBe('sign-in')
    expect(returned(await b.open(w.authorize({ prompt: 'none' })))).toMatchObject({ error: 'login_required' })
  })

  it.each(['public', 'pairwise'] as const)(
    'Core 3.1.2.1: who signs in instead of the user that id_token_hint names gets no token in their place (%s)',
    async (subject_type) => {
      const client = { client_id: 'rp', client_secret: 'rp-secret', redirect_uris: [`${RP}/cb`], subject_type }
      const device = subject_type === 'public' ? ['urn:ietf:params:oauth:grant-type:device_code'] : []
      const grant_types = ['authorization_code', ...device]
      const host: Configuration = {
        subjectTypes: ['public', 'pairwise'],
        pairwiseIdentifier: async (_ctx, sub) => `pair-${sub}`,
      }
      const own = await world({ store: await (await database()).open(), host, clients: [{ ...client, grant_types }] })
      const [meant, other] = [await owner(own, 'meant'), await owner(own, 'other')]
      const [theirs, b] = [own.browser(), own.browser()]
      const hint = (await own.exchange(await enter(own, theirs, meant))).id_token ?? ''
      await enter(own, b, other)
      const asks = { id_token_hint: hint, acr_values: acr.multiFactor }
      const instead = await enter(own, b, other, { authorize: asks })
      expect(returned(instead)).toMatchObject({ error: 'login_required', state: 'state' })
      expect(returned(await enter(own, b, meant, { authorize: asks }))).toHaveProperty('code')
      expect(returned(await b.open(own.authorize({ ...asks, prompt: 'none' })))).toHaveProperty('code')
      // A device says it once, and the browser comes later.
      if (device.length === 0) return own.close()
      const started = await back(own, '/device/auth', { scope: 'openid', id_token_hint: hint })
      await enter(own, theirs, other, { authorize: { prompt: 'login' } })
      await connect(own, theirs, String(started['user_code']))
      expect(at(theirs)).toBe('sign-in')
      return own.close()
    },
  )

  it('OI-2: max_age=0 of a device is a new sign-in, too', async () => {
    const who = await owner(w, 'viewer')
    const b = w.browser()
    await enter(w, b, who)
    const started = await back(w, '/device/auth', { scope: 'openid', max_age: '0' })
    await connect(w, b, String(started['user_code']))
    expect(at(b)).toBe('sign-in')
    await b.submit({ username: 'viewer', password: passwordOf('viewer'), action: 'continue' })
    await factor(b, who)
    expect(at(b)).toBe('message')
    const poll = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code' }
    expect((await back(w, '/token', { ...poll, device_code: String(started['device_code']) })).status).toBe(200)
  })

  it('a prompt of the host goes to its own page, and never shows ours', async () => {
    const who = await owner(w, 'reader')
    const b = w.browser()
    await enter(w, b, who)
    const sent = await b.request(w.authorize({ ui_locales: 'terms' }))
    expect(new URL(sent.location ?? RP).pathname).toMatch(/^\/hosts-own\/./)
    await b.open(w.authorize({ ui_locales: 'terms', prompt: 'consent' }))
    expect(at(b)).toBe('consent')
    const found = (await (await fetch(`${w.issuer}/.well-known/openid-configuration`)).json()) as object
    expect(found).toMatchObject({
      prompt_values_supported: expect.arrayContaining(['none', 'login', 'consent', 'terms', ...prompts]),
    })
  })
})

it('CF-1: a prompt of the host without a page is refused at the start', async () => {
  const w = await world()
  expect(() => w.self.configure({ interactions: { policy: terms() } })).toThrow(
    new Error(
      'interactions.url must be set, because the prompt "terms" of interactions.policy has no page here: name yours',
    ),
  )
  await w.close()
})
