// A pure merge into a host's configuration: what is ours is added, what the host set stays.
import {
  type AdapterConstructor,
  type AdapterFactory,
  type Configuration,
  interactionPolicy,
  type KoaContextWithOIDC,
} from 'oidc-provider'
import type { Keys } from '../domain/keys.ts'
import { acr } from '../flows/finish.ts'
import { accountFinder, grantLoader, type Renewed } from './account.ts'
import { answersAdapter } from './answers.ts'
import { levelOf, reaches, wantedOf } from './asked.ts'
import { epochAdapter } from './epoch.ts'
import { refuseUnsafe } from './grants.ts'
import { type Judging, shown, withPrompts } from './prompts.ts'
import { tokenClaims } from './token-claims.ts'
import type { Scope } from './scope.ts'
import { selfClient } from './self-client.ts'
import { lifetimes, refreshLifetime, strictness } from './tokens.ts'

/** Pages that the provider itself has to show, in our dress. */
export type ProviderPages = {
  renderError: NonNullable<Configuration['renderError']>
  logoutSource(ctx: KoaContextWithOIDC, form: string): void | Promise<void>
  postLogoutSuccessSource(ctx: KoaContextWithOIDC): void | Promise<void>
  userCodeInputSource: NonNullable<
    NonNullable<NonNullable<Configuration['features']>['deviceFlow']>['userCodeInputSource']
  >
  userCodeConfirmSource: NonNullable<
    NonNullable<NonNullable<Configuration['features']>['deviceFlow']>['userCodeConfirmSource']
  >
  deviceSuccessSource: NonNullable<NonNullable<NonNullable<Configuration['features']>['deviceFlow']>['successSource']>
}

export interface Merging {
  keys: Keys
  scope: Scope
  judging: Judging
  adapter: AdapterFactory
  pages: ProviderPages
  issuer: string
  service: { name: string }
  prefix: string
  session: { absolute: number; idle: number }
  firstParty(clientId: string): boolean
  /** Calls to what clients' metadata names. */
  fetch: NonNullable<Configuration['fetch']>
}

/** What an ID token says of the authentication, and of an action that was asked for; with every `openid` request. */
const authentication = ['acr', 'amr', 'auth_time', 'action_status']

const SECOND = 1000
const HOUR = 3600

const factory = (adapter: Configuration['adapter'] | undefined): AdapterFactory | undefined => {
  if (!adapter) return undefined
  const made = adapter
  const constructor = /^class\b/.test(Function.prototype.toString.call(made)) || 'prototype' in made
  return constructor ? (name) => new (made as AdapterConstructor)(name) : made
}

/** Sliding while in use, and over at the latest a day after the sign-in (NIST SP 800-63B-4 2.2.3). In seconds. */
const sessionTtl =
  ({ session, judging }: Merging) =>
  (_ctx: unknown, row: { loginTs?: number | undefined }): number => {
    const idle = session.idle / SECOND
    if (row.loginTs === undefined) return idle
    const left = row.loginTs + session.absolute / SECOND - Math.floor(judging.now() / SECOND)
    return Math.max(1, Math.min(idle, left))
  }

export function mergeConfiguration(host: Configuration, merging: Merging): Configuration {
  refuseUnsafe(host)
  const { keys, scope, judging, pages, prefix, firstParty } = merging
  const { features = {}, claims, ttl, cookies, interactions } = host
  const openid = (claims as Record<string, unknown> | undefined)?.['openid']
  const device = features.deviceFlow
  const wanted = ({ oidc }: KoaContextWithOIDC) => wantedOf({ ...oidc.params }, judging.policy())
  const enough = ({ clientId = '', acr: had, amr }: Renewed): boolean =>
    // By what was proven as well: an essential `acr` of less is written into the code, whatever the session reached.
    amr?.includes('mfa') === true || reaches(had, levelOf(judging.policy(), clientId))
  const policy = withPrompts(
    (interactions?.policy as interactionPolicy.DefaultPolicy) ?? interactionPolicy.base(),
    judging,
    { wanted, foreignAcr: new Set(host.acrValues) },
  )
  return {
    ...host,
    clients: [...(host.clients ?? []), selfClient(merging.issuer, merging.service.name)],
    ...strictness(host),
    adapter: answersAdapter(epochAdapter(factory(host.adapter) ?? merging.adapter, scope), wanted),
    jwks: host.jwks ?? keys.jwks,
    cookies: { ...cookies, keys: cookies?.keys ?? [...keys.cookies] },
    findAccount: accountFinder(scope.account, enough, host.findAccount),
    loadExistingGrant: grantLoader(firstParty, host.loadExistingGrant),
    acrValues: [...new Set([...(host.acrValues ?? []), acr.password, acr.multiFactor])],
    claims: {
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
      ...(claims as Record<string, string[]>),
      ...Object.fromEntries(authentication.map((claim) => [claim, null])),
      openid: [...new Set([...(Array.isArray(openid) ? (openid as string[]) : ['sub']), ...authentication])],
    },
    scopes: [...new Set([...(host.scopes ?? ['openid', 'offline_access']), 'profile', 'email', 'groups'])],
    interactions: {
      ...interactions,
      policy,
      // The `cid` survives the chain of prompts of one request, so Back and reload always show the current step.
      url: (ctx, interaction) =>
        interactions?.url && !shown.has(interaction.prompt.name)
          ? interactions.url(ctx, interaction)
          : `${prefix}/interaction/${interaction.cid}`,
    },
    ttl: {
      DeviceCode: 600,
      Grant: 14 * 24 * HOUR,
      IdToken: HOUR,
      // The request outlives many flows: one that expired starts again in place.
      Interaction: 24 * HOUR,
      RefreshToken: refreshLifetime,
      ...ttl,
      ...lifetimes(ttl, () => judging.policy().tokens?.signedFor),
      Session: ttl?.Session ?? sessionTtl(merging),
    },
    extraTokenClaims: tokenClaims(host.extraTokenClaims),
    renderError: host.renderError ?? pages.renderError,
    fetch: host.fetch ?? merging.fetch,
    discovery: {
      ...host.discovery,
      prompt_values_supported: ['none', ...policy.filter((prompt) => prompt.requestable).map(({ name }) => name)],
    },
    features: {
      ...features,
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true, ...features.backchannelLogout },
      claimsParameter: { enabled: true, ...features.claimsParameter },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: pages.logoutSource,
        postLogoutSuccessSource: pages.postLogoutSuccessSource,
        ...features.rpInitiatedLogout,
      },
      ...(device?.enabled && {
        deviceFlow: {
          userCodeInputSource: pages.userCodeInputSource,
          userCodeConfirmSource: pages.userCodeConfirmSource,
          successSource: pages.deviceSuccessSource,
          ...device,
        },
      }),
    },
  }
}
