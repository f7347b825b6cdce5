// Reads the provider's interaction behind a page, and gives the one answer at the end.
import { errors, type Provider } from 'oidc-provider'
import type { Context } from 'koa'
import type { ProblemCode } from '../domain/problems.ts'
import type { SignedIn } from '../flows/finish.ts'
import type { Settled } from './answers.ts'
import { OF_ACCOUNT, without } from './epoch.ts'
import type { Party } from './logout-jobs.ts'

/** The session or interaction of this request is gone, or was never this browser's. */
export const sessionLost = (error: unknown): boolean => error instanceof errors.SessionNotFound

export type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>

/** The interaction, or why there is none for this browser and this address. */
export type Found = { interaction: Interaction } | { problem: ProblemCode } | { anew: string }

/**
 * By cookie *and* by address: the cookie alone would let another interaction's page act on this one (EN-12). A session
 * that ended elsewhere is taken off the interaction, so that the same request can begin anew.
 */
export async function read(provider: Provider, ctx: Context, cid: string): Promise<Found> {
  try {
    const interaction = await provider.interactionDetails(ctx.req, ctx.res)
    return interaction.cid === cid ? { interaction } : { problem: 'other_browser' }
  } catch (error) {
    if (!sessionLost(error)) throw error
    const uid = ctx.cookies.get(provider.cookieName('interaction'), { signed: true })
    if (!uid) return { problem: 'other_browser' }
    const interaction = await provider.Interaction.find(uid)
    if (!interaction) return { problem: 'interaction_over' }
    if (interaction.cid !== cid) return { problem: 'other_browser' }
    return { anew: await detached(interaction) }
  }
}

async function detached(interaction: Interaction): Promise<string> {
  delete interaction.session
  delete interaction.grantId
  // What somebody else answered settles nothing for whoever comes now, nor does what waited while its session ended.
  if (interaction.result) interaction.result = without(interaction.result, OF_ACCOUNT)
  if (interaction.lastSubmission) interaction.lastSubmission = without(interaction.lastSubmission, OF_ACCOUNT)
  await interaction.persist()
  return interaction.returnTo
}

/** When the session behind the interaction was made, in seconds; `auth_time` of a step-up must not move (EN-13). */
export async function loginAt(provider: Provider, interaction: Interaction): Promise<number | undefined> {
  const uid = interaction.session?.uid
  const session = uid === undefined ? undefined : await provider.Session.findByUid(uid)
  return session?.loginTs === undefined ? undefined : session.loginTs * 1000
}

/** Keeps that a relying party is to hear of the end of a session. */
export type Tell = (party: Party) => Promise<void>

/** Ends the session behind the interaction: somebody else signs in here, and no `sid` may carry over to another `sub`. */
export async function signOut(provider: Provider, interaction: Interaction, tell: Tell): Promise<string> {
  const uid = interaction.session?.uid
  const session = uid === undefined ? undefined : await provider.Session.findByUid(uid)
  // Kept before the session goes, which alone knows of them (SE-5).
  const { accountId = '', authorizations = {} } = session ?? {}
  for (const [clientId, { sid }] of Object.entries(authorizations)) if (sid) await tell({ accountId, clientId, sid })
  await session?.destroy()
  return detached(interaction)
}

/** Answers `login`, and the prompt that asked, in one write. Resolves to where the browser goes on. */
export async function answer(
  provider: Provider,
  interaction: Interaction,
  signedIn: SignedIn,
  tell: Tell,
): Promise<string> {
  const { accountId, epoch, acr, amr, authTime, carried, settled } = signedIn
  if (interaction.session && interaction.session.accountId !== accountId) await signOut(provider, interaction, tell)
  const login = { accountId, epoch, acr, amr, ts: Math.floor(authTime / 1000), carried }
  const { prompt, lastSubmission } = interaction
  const statuses = Object.entries(settled).map(([name, status]) => [name, { status, accountId } satisfies Settled])
  const asked = prompt.name !== 'login' && { [prompt.name]: {} }
  interaction.result = { ...lastSubmission, login, ...asked, ...Object.fromEntries(statuses) }
  await interaction.persist()
  return interaction.returnTo
}

/** Done, with nobody signed in by it: the next prompt of the same request follows, a sign-in most likely. */
export async function pass(interaction: Interaction, accountId: string | undefined): Promise<string> {
  const settled = accountId === undefined ? {} : ({ status: 'done', accountId } satisfies Settled)
  interaction.result = { ...interaction.lastSubmission, [interaction.prompt.name]: settled }
  await interaction.persist()
  return interaction.returnTo
}

/** The user does not want to, or (`unmet`) cannot meet what was asked: the relying party is told so. */
export async function refuse(interaction: Interaction, { unmet } = { unmet: false }): Promise<string> {
  interaction.result = unmet
    ? { error: 'unmet_authentication_requirements', error_description: 'the requested acr cannot be reached' }
    : { error: 'access_denied', error_description: 'the user cancelled' }
  await interaction.persist()
  return interaction.returnTo
}

/** The user agrees: a grant for what was asked. Resolves to where the browser goes on. */
export async function consent(provider: Provider, interaction: Interaction): Promise<string> {
  const { params, session, prompt } = interaction
  const accountId = session?.accountId ?? ''
  const clientId = String(params['client_id'])
  const saved = interaction.grantId === undefined ? undefined : await provider.Grant.find(interaction.grantId)
  const grant = saved ?? new provider.Grant({ accountId, clientId })
  const missing = prompt.details as {
    missingOIDCScope?: string[]
    missingOIDCClaims?: string[]
    missingResourceScopes?: Record<string, string[]>
  }
  grant.addOIDCScope(missing.missingOIDCScope ?? [])
  grant.addOIDCClaims(missing.missingOIDCClaims ?? [])
  for (const [resource, scopes] of Object.entries(missing.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '))
  }
  const grantId = await grant.save()
  interaction.result = { ...interaction.lastSubmission, consent: { grantId } }
  await interaction.persist()
  return interaction.returnTo
}
