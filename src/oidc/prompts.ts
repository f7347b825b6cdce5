// Our prompts and checks, placed by name. They read the account, never the interaction's result: the second lock.
import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { factors, type Policy, type Traits, verdictOfSession } from '../domain/policy.ts'
import type { Account, Time } from '../domain/types.ts'

const { Check, Prompt } = interactionPolicy

export interface Judging {
  /** One read a request, shared with `findAccount`. */
  account(id: string): Promise<Account | undefined>
  policy(): Policy
  traits: Traits
  now(): Time
}

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

  const after = base.findIndex((prompt) => prompt.name === 'login') + 1
  base.add(new Prompt({ name: 'second_factor', requestable: false }, secondFactor), after)
  base.add(new Prompt({ name: 'security_info_registration', requestable: false }, registration), after + 1)
  return base
}
