// Accounts as the provider sees them: `findAccount`, the claims, and grants without a consent page for first parties.
import type { Account as OidcAccount, Configuration, FindAccount, Grant, KoaContextWithOIDC } from 'oidc-provider'
import type { Account } from '../domain/types.ts'
import { redeemedStatus, statusOf } from './answers.ts'
import { selfClientId } from './self-client.ts'

/** Claims by scope (OpenID Connect Core 5.4). `sub` is opaque and never reused. */
export const claimsOf = (account: Account): { sub: string; [claim: string]: unknown } => ({
  sub: account.id,
  preferred_username: account.username,
  name: account.name,
  email: account.email,
  email_verified: account.email === undefined ? undefined : account.emailVerified,
  groups: account.groups,
})

/** What a refresh token says of the sign-in that it comes from. */
export interface Renewed {
  clientId?: string | undefined
  acr?: string | undefined
  amr?: string[] | undefined
}

/** Ours decides whether the account exists and is enabled; a host's own `findAccount` may still word its claims. */
export const accountFinder =
  (
    read: (id: string) => Promise<Account | undefined>,
    enough: (token: Renewed) => boolean,
    host: FindAccount | undefined,
  ): FindAccount =>
  async (ctx, id, token): Promise<OidcAccount | undefined> => {
    const account = await read(id)
    if (!account) return undefined
    // Tightened since: what was issued for less is renewed no more.
    if (token?.kind === 'RefreshToken' && !enough(token)) return undefined
    const found = host ? await host(ctx, id, token) : { accountId: id, claims: () => claimsOf(account) }
    if (!found) return undefined
    return {
      ...found,
      accountId: found.accountId,
      async claims(use, ...rest) {
        const status = use === 'id_token' ? (redeemedStatus(ctx) ?? statusOf(ctx)) : undefined
        return { ...(await found.claims(use, ...rest)), ...(status && { action_status: status }) }
      },
    }
  }

type LoadGrant = NonNullable<Configuration['loadExistingGrant']>

const remembered: LoadGrant = async (ctx) => {
  const { result, session, client, provider } = ctx.oidc
  const clientId = client?.clientId ?? ''
  const grantId = result?.consent?.grantId ?? session?.grantIdFor(clientId)
  return grantId ? provider.Grant.find(grantId) : undefined
}

const covers = (grant: Grant | undefined, ctx: KoaContextWithOIDC): grant is Grant => {
  if (!grant) return false
  const scopes = new Set(grant.getOIDCScopeEncountered().split(' '))
  const claims = new Set(grant.getOIDCClaimsEncountered())
  return (
    [...ctx.oidc.requestParamOIDCScopes].every((scope) => scopes.has(scope)) &&
    [...ctx.oidc.requestParamClaims].every((claim) => claims.has(claim))
  )
}

/** A relying party of the organisation itself needs nobody's consent. A saved grant is used again while it covers the request. */
export const grantLoader =
  (firstParty: (clientId: string) => boolean, host: LoadGrant = remembered): LoadGrant =>
  async (ctx) => {
    const existing = await host(ctx)
    const { client, account, provider } = ctx.oidc
    if (!client || !account) return existing
    if (client.clientId === selfClientId) {
      // Nothing can be redeemed with it: it is made for this request and never saved.
      const passing = new provider.Grant({ accountId: account.accountId, clientId: client.clientId })
      passing.addOIDCScope('openid')
      return passing
    }
    if (!firstParty(client.clientId)) return existing
    const resources = Object.entries(ctx.oidc.resourceServers ?? {})
    if (covers(existing, ctx) && resources.length === 0) return existing
    const grant = existing ?? new provider.Grant({ accountId: account.accountId, clientId: client.clientId })
    grant.addOIDCScope(ctx.oidc.requestParamOIDCScopes)
    grant.addOIDCClaims(ctx.oidc.requestParamClaims)
    for (const [resource, server] of resources) grant.addResourceScope(resource, server.scope ?? '')
    await grant.save()
    return grant
  }
