// Our prompts and checks, placed by name. They read the account, never the interaction's result: the second lock.
import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { clientPolicy, factors, type Policy, type Traits, verdictOfSession } from '../domain/policy.ts'
import type { Account, Time } from '../domain/types.ts'
import type { SignedIn } from '../flows/finish.ts'
import { reaches, type Wanted } from './asked.ts'

const { Check, Prompt } = interactionPolicy

export interface Judging {
  /** One read a request, shared with `findAccount`. */
  account(id: string): Promise<Account | undefined>
  policy(): Policy
  traits: Traits
  now(): Time
  /** Which of our prompts a client may ask for; by default only the built-in one may. */
  mayRequest(clientId: string, prompt: string): boolean
}

export interface Contexts {
  /** What this request asks of the authentication. */
  wanted(ctx: KoaContextWithOIDC): Wanted
  /** `acr` values that the host declared beside ours. */
  foreignAcr: ReadonlySet<string>
}

/** Prompts of ours that an authorization request can ask for. */
export const requestable = ['change_password', 'forgot_password', 'security_info_registration'] as const

/** Prompts that have a page of ours; those that a host adds are answered at its own `interactions.url`. */
export const shown: ReadonlySet<string> = new Set(['login', 'second_factor', ...requestable, 'consent'])

const sessionOf = (ctx: KoaContextWithOIDC) => ctx.oidc.session

/** The host's own prompts stay; ours go right behind `login`, so that nothing is issued before they are met. */
export function withPrompts(
  base: interactionPolicy.DefaultPolicy,
  judging: Judging,
  { wanted, foreignAcr }: Contexts,
): interactionPolicy.DefaultPolicy {
  const login = base.get('login')
  if (!login)
    throw new Error(
      'interactions.policy has no prompt named "login": self-service registration follows it, so it must be there.',
    )

  const accountOf = async (ctx: KoaContextWithOIDC): Promise<Account | undefined> => {
    const id = sessionOf(ctx)?.accountId
    return id === undefined ? undefined : judging.account(id)
  }

  // A session of an account that was disabled or deleted crashes the stock consent check.
  login.checks.add(
    new Check('account_gone', 'the account of this session is gone', 'login_required', async (ctx) => {
      const id = sessionOf(ctx)?.accountId
      return id !== undefined && (await judging.account(id)) === undefined
    }),
  )

  // A step-up answers with the sign-in of its session: whoever took long over it signs in again (OI-2).
  login.checks.add(
    new Check('max_age_passed', 'the sign-in of this session is too old by now', 'login_required', (ctx) => {
      const { params, result, session } = ctx.oidc
      const age = params?.['max_age']
      const { carried } = (result?.login ?? {}) as Partial<SignedIn>
      return carried === true && age !== undefined && session?.accountId !== undefined && session.past(Number(age))
    }),
  )

  // `max_age=0` of a device: the provider makes it `prompt=login`, and then drops the prompt (Core 3.1.2.1).
  login.checks.add(
    new Check('device_login', 'a device asked for a new sign-in', 'login_required', (ctx) => {
      const { entities, result } = ctx.oidc
      const prompt = entities.DeviceCode?.params?.['prompt']
      return typeof prompt === 'string' && prompt.split(' ').includes('login') && !result?.login
    }),
  )

  // The provider reads the hint with the request alone: neither when its user comes back, nor for a device.
  login.checks.add(
    new Check('hinted', 'id_token_hint and authenticated subject do not match', 'login_required', async (ctx) => {
      const { client, entities, params, provider, result, session } = ctx.oidc
      const hint = params?.['id_token_hint']
      if (entities.IdTokenHint || typeof hint !== 'string' || !client || session?.accountId === undefined) return false
      const named = await provider.IdToken.validate(hint, client).catch(() => undefined)
      const { sub } = await new provider.Claims({ sub: session.accountId }, { ctx, client }).scope('openid').result()
      if (named?.payload['sub'] === sub) return false
      // Whoever signed in was not who is meant: an error, and no second page (Core 3.1.2.1).
      if (result?.login) throw new errors.LoginRequired('somebody else signed in than id_token_hint names')
      return true
    }),
  )

  // Ours judge levels and read every way of asking; the stock ones ask for ever where it cannot be met (OI-3).
  for (const stock of ['essential_acr', 'essential_acrs']) login.checks.remove(stock)

  const secondFactor = new Check(
    'second_factor',
    'a second factor has to be shown',
    'interaction_required',
    async (ctx) => {
      const account = await accountOf(ctx)
      if (!account) return false
      // An account that has one is always asked for it, whatever the policy says now (EN-6).
      return factors(judging.traits, account).length > 0 && sessionOf(ctx)?.amr?.includes('mfa') !== true
    },
  )

  const context = new Check('acr', 'the requested acr has to be reached', 'login_required', (ctx) => {
    const { level } = wanted(ctx)
    const { result, session } = ctx.oidc
    if (session?.accountId === undefined || result?.['second_factor']) return false
    return !reaches(session.acr, level)
  })

  /** Behind every other prompt, the host's own included: what was asked is met now, or the relying party is told. */
  const unmet = new Check('acr_unmet', 'the requested acr cannot be reached', 'login_required', (ctx) => {
    const { level, foreign } = wanted(ctx)
    const have = sessionOf(ctx)?.acr
    const met = reaches(have, level) && foreign.every((choice) => choice.includes(have ?? ''))
    if (!met) throw new errors.UnmetAuthenticationRequirements('the requested acr cannot be reached')
    return false
  })

  const registration = new Check(
    'registration',
    'security info has to be registered',
    'interaction_required',
    async (ctx) => {
      const account = await accountOf(ctx)
      if (!account) return false
      const verdict = verdictOfSession(judging.traits, judging.policy(), account, judging.now())
      if (verdict === 'required') return true
      const { silentWhileRecommended } = clientPolicy(judging.policy(), ctx.oidc.client?.clientId ?? '')
      return verdict === 'skippable' && ctx.oidc.prompts.has('none') && !silentWhileRecommended
    },
  )

  const passwordDue = new Check(
    'password_change',
    'the password has to be changed',
    'interaction_required',
    async (ctx) => {
      const account = await accountOf(ctx)
      return account?.password?.mustChange !== undefined
    },
  )

  /** Any client may send any prompt, and any `acr`: what cannot be is refused before anybody signs in for it. */
  const possible = new Check('possible', 'the request cannot be met', 'invalid_request', (ctx) => {
    for (const prompt of requestable) {
      if (ctx.oidc.prompts.has(prompt) && !judging.mayRequest(ctx.oidc.client?.clientId ?? '', prompt))
        throw new errors.InvalidRequest(`prompt ${prompt} is not allowed for this client`)
    }
    // A host's own values are for its own prompts to reach.
    if (wanted(ctx).foreign.some((choice) => !choice.some((value) => foreignAcr.has(value))))
      throw new errors.UnmetAuthenticationRequirements('none of the requested acr values is known here')
    return false
  })

  const after = base.findIndex((prompt) => prompt.name === 'login') + 1
  base.add(new Prompt({ name: 'second_factor', requestable: false }, secondFactor, context), after)
  // Registration comes first: its factor then stands for the trust gate that a change would ask for again.
  base.add(new Prompt({ name: 'security_info_registration', requestable: true }, registration), after + 1)
  base.add(new Prompt({ name: 'change_password', requestable: true }, passwordDue), after + 2)
  // In front of everything, so that it can precede a sign-in; it is finished without one, and `login` follows.
  base.add(new Prompt({ name: 'forgot_password', requestable: true }, possible), 0)
  base.add(new Prompt({ name: 'acr', requestable: false }, unmet), base.length)
  return base
}
