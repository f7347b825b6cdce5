// Our prompts and checks, placed by name. They read the account, never the interaction's result: the second lock.
import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { factors, type Policy, type Traits, verdictOfSession } from '../domain/policy.ts'
import type { Account, Time } from '../domain/types.ts'

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

/** Prompts of ours that an authorization request can ask for. */
export const requestable = ['change_password', 'forgot_password'] as const

const sessionOf = (ctx: KoaContextWithOIDC) => ctx.oidc.session

/** The host's own prompts stay; ours go right behind `login`, so that nothing is issued before they are met. */
export function withPrompts(base: interactionPolicy.DefaultPolicy, judging: Judging): interactionPolicy.DefaultPolicy {
  const login = base.get('login')
  if (!login)
    throw new Error(
      'interactions.policy has no prompt named "login": self-service registration follows it, so it must be there.',
    )

  // A session of an account that was disabled or deleted crashes the stock consent check.
  login.checks.add(
    new Check('account_gone', 'the account of this session is gone', 'login_required', async (ctx) => {
      const id = sessionOf(ctx)?.accountId
      return id !== undefined && (await judging.account(id)) === undefined
    }),
  )

  const secondFactor = new Check(
    'second_factor',
    'a second factor has to be shown',
    'interaction_required',
    async (ctx) => {
      const session = sessionOf(ctx)
      const account = session?.accountId === undefined ? undefined : await judging.account(session.accountId)
      if (!account) return false
      // An account that has one is always asked for it, whatever the policy says now (EN-6).
      return factors(judging.traits, account).length > 0 && session?.amr?.includes('mfa') !== true
    },
  )

  const registration = new Check(
    'registration',
    'security info has to be registered',
    'interaction_required',
    async (ctx) => {
      const id = sessionOf(ctx)?.accountId
      const account = id === undefined ? undefined : await judging.account(id)
      if (!account) return false
      return verdictOfSession(judging.traits, judging.policy(), account, judging.now()) === 'required'
    },
  )

  const passwordDue = new Check(
    'password_change',
    'the password has to be changed',
    'interaction_required',
    async (ctx) => {
      const id = sessionOf(ctx)?.accountId
      const account = id === undefined ? undefined : await judging.account(id)
      return account?.password?.mustChange !== undefined
    },
  )

  /** Any client may send any prompt: what policy does not allow is refused, and answered nowhere else. */
  const allowed = (prompt: string) =>
    new Check(`${prompt}_allowed`, 'prompt is not allowed for this client', 'invalid_request', (ctx) => {
      const asked = ctx.oidc.prompts.has(prompt)
      if (asked && !judging.mayRequest(ctx.oidc.client?.clientId ?? '', prompt)) {
        throw new errors.InvalidRequest(`prompt ${prompt} is not allowed for this client`)
      }
      return false
    })

  const after = base.findIndex((prompt) => prompt.name === 'login') + 1
  base.add(new Prompt({ name: 'second_factor', requestable: false }, secondFactor), after)
  const change = new Prompt({ name: 'change_password', requestable: true }, allowed('change_password'), passwordDue)
  base.add(change, after + 1)
  base.add(new Prompt({ name: 'security_info_registration', requestable: false }, registration), after + 2)
  // In front of everything, so that it can precede a sign-in; it is finished without one, and `login` follows.
  base.add(new Prompt({ name: 'forgot_password', requestable: true }, allowed('forgot_password')), 0)
  return base
}
