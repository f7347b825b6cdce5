// Every address of ours, one line each.
import { Router } from '@koa/router'
import type { Context } from 'koa'
import type { Provider } from 'oidc-provider'
import type { Policy } from '../domain/policy.ts'
import type { NotMe } from '../domain/ports.ts'
import { isProblem } from '../domain/problems.ts'
import type { Tools, Visit } from '../flows/flow.ts'
import { journeyOf } from '../flows/journeys.ts'
import type { Shown } from '../flows/pages.ts'
import { close, type Outcome, show, submit } from '../flows/run.ts'
import { demandsOf } from '../oidc/asked.ts'
import { answer, consent, type Interaction, loginAt, pass, read, refuse, signOut } from '../oidc/interaction.ts'
import { selfRequest } from '../oidc/self-client.ts'
import { readForm } from './form.ts'
import { foreign, sourceAddress } from './guard.ts'
import { type Dress, languageOf, seeOther, showPage, showProblem } from './respond.ts'

export interface Routing {
  provider: Provider
  tools: Tools
  dress: Dress
  issuer: URL
  /** Where the provider is mounted, without a slash at the end. */
  prefix: string
  hops: number
  /** The path of the authorization endpoint. */
  authorization(): string
  /** The path of the end-session endpoint. */
  endSession(): string
  /** The links of notices. */
  notMe: NotMe
  policy(): Policy
}

export function routes(routing: Routing): Router {
  const router = new Router()
  router.get('/interaction/:cid', (ctx) => page(ctx as unknown as Context, routing, String(ctx.params['cid'])))
  router.post('/interaction/:cid', (ctx) => form(ctx as unknown as Context, routing, String(ctx.params['cid'])))
  router.all('/interaction/:cid', (ctx) => notAllowed(ctx as unknown as Context, routing))
  for (const [address, prompt] of Object.entries(own)) {
    router.get(address, (ctx) => start(ctx as unknown as Context, routing, prompt))
  }
  router.post(routing.endSession(), (ctx) => signOutPosted(ctx as unknown as Context, routing))
  // W3C change-password-url: a temporary redirect, to the page itself.
  router.get('/.well-known/change-password', (ctx) => ctx.redirect(`${routing.prefix}/change-password`))
  router.get('/self-service/return', (ctx) => returned(ctx as unknown as Context, routing))
  router.get('/self-service/not-me/:token', (ctx) =>
    denial(ctx as unknown as Context, routing, String(ctx.params['token'])),
  )
  router.post('/self-service/not-me/:token', (ctx) =>
    denied(ctx as unknown as Context, routing, String(ctx.params['token'])),
  )
  router.get('/self-service/:asset', (ctx, next) => {
    const asset = routing.dress.views.asset(String(ctx.params['asset']))
    if (!asset) return next()
    ctx.type = asset.type
    ctx.set('Cache-Control', 'public, max-age=31536000, immutable')
    ctx.set('ETag', asset.etag)
    ctx.body = asset.body
    return undefined
  })
  return router
}

/** Pages that begin without a relying party are authorization requests of the built-in client. */
const own = { '/change-password': 'change_password', '/forgot-password': 'forgot_password' } as const

function start(ctx: Context, { issuer, authorization, prefix }: Routing, prompt: string): void {
  seeOther(ctx, `${prefix}${authorization()}?${selfRequest(issuer.href, prompt)}`)
}

/**
 * RP-Initiated Logout 1.0 section 2 asks for POST as well as GET. The provider's own needs cookies that other sites may send;
 * a redirect is a request of ours again, and comes with the usual ones.
 */
async function signOutPosted(ctx: Context, { dress, endSession, prefix }: Routing): Promise<void> {
  const fields = await readForm(ctx.req, (ctx.req as { body?: unknown }).body)
  if (isProblem(fields)) return showProblem(ctx, dress, fields)
  return seeOther(ctx, `${prefix}${endSession()}?${new URLSearchParams({ ...fields }).toString()}`)
}

function returned(ctx: Context, { dress }: Routing): void {
  const action = Object.values(own).find((prompt) => prompt === ctx.query['state'])
  const message = ctx.query['error'] === undefined ? 'done' : 'cancelled'
  showPage(ctx, dress, { page: { name: 'message', message, model: { action } }, cancel: false })
}

/** Opened from a mail, by people and by scanners: a GET shows what a button would do, and does nothing (RS-5). */
async function denial(ctx: Context, { dress, notMe }: Routing, token: string): Promise<void> {
  const about = await notMe.find(token)
  if (!about) return showProblem(ctx, dress, 'link_over')
  const model = { when: about.at, what: about.what }
  return showPage(ctx, dress, { page: { name: 'message', message: 'not-me', model }, cancel: false })
}

async function denied(ctx: Context, { dress, issuer, notMe }: Routing, token: string): Promise<void> {
  if (foreign(ctx.req, issuer.origin)) return showProblem(ctx, dress, 'foreign_origin')
  if (!(await notMe.deny(token))) return showProblem(ctx, dress, 'link_over')
  return showPage(ctx, dress, { page: { name: 'message', message: 'not-me-done' }, cancel: false })
}

function notAllowed(ctx: Context, { dress }: Routing): void {
  ctx.set('Allow', 'GET, HEAD, POST')
  showProblem(ctx, dress, 'method_not_allowed')
}

/** The interaction of this browser at this address; answers the request itself when there is none to work with. */
async function found(ctx: Context, { provider, dress }: Routing, cid: string): Promise<Interaction | undefined> {
  const here = await read(provider, ctx, cid)
  if ('problem' in here) showProblem(ctx, dress, here.problem)
  else if ('anew' in here) seeOther(ctx, here.anew)
  else if (answered(here.interaction)) seeOther(ctx, here.interaction.returnTo)
  // A dead session was taken off it: only the provider can tell which prompt comes now.
  else if (journeyOf(here.interaction.prompt.name)?.ofSession !== false && !here.interaction.session)
    seeOther(ctx, here.interaction.returnTo)
  else return here.interaction
  return undefined
}

/** A double click, or a reload after the last step: the answer is there and waits to be picked up. */
const answered = ({ result }: Interaction): boolean => result !== undefined && Object.keys(result).length > 0

type OpenVisit = Visit & { settled(): Promise<unknown> }

async function visitOf(ctx: Context, routing: Routing, interaction: Interaction): Promise<OpenVisit> {
  const { provider, dress, hops, policy } = routing
  const { params, prompt, session } = interaction
  const clientId = typeof params['client_id'] === 'string' ? params['client_id'] : ''
  const client = await provider.Client.find(clientId)
  const hint = params['login_hint']
  const beside: Promise<unknown>[] = []
  const since = session && prompt.name !== 'login' ? await loginAt(provider, interaction) : undefined
  return {
    interaction: interaction.cid,
    journey: prompt.name,
    client: { id: clientId, name: client?.clientName ?? clientId },
    ...(session && { session: { accountId: session.accountId, amr: session.amr ?? [], loginAt: since } }),
    demands: demandsOf(params, prompt.name, interaction.lastSubmission, policy()),
    ...(typeof hint === 'string' && { loginHint: hint.slice(0, 256) }),
    language: languageOf(ctx, dress, locales(interaction)),
    address: sourceAddress(ctx.req, hops),
    userAgent: ctx.get('user-agent'),
    knownBrowser: (account) => dress.jar.knownBrowser(ctx, account),
    beside(work) {
      // Whoever waits for it below hears of its failure; until then it is nobody's.
      work.catch(() => undefined)
      beside.push(work)
    },
    settled: () => Promise.all(beside),
  }
}

const locales = ({ params }: Interaction): string | undefined => {
  const wish = params['ui_locales']
  return typeof wish === 'string' ? wish : undefined
}

const around = (interaction: Interaction) => ({
  uiLocales: locales(interaction),
  leadsTo: [interaction.params['redirect_uri']],
})

async function page(ctx: Context, routing: Routing, cid: string): Promise<void> {
  const interaction = await found(ctx, routing, cid)
  if (!interaction) return
  const visit = await visitOf(ctx, routing, interaction)
  if (!journeyOf(visit.journey))
    return showPage(ctx, routing.dress, consentPage(interaction, visit, routing), around(interaction))
  await reply(ctx, routing, interaction, visit, await show(visit, routing.policy(), routing.tools))
}

async function form(ctx: Context, routing: Routing, cid: string): Promise<void> {
  if (foreign(ctx.req, routing.issuer.origin)) return showProblem(ctx, routing.dress, 'foreign_origin')
  const fields = await readForm(ctx.req, (ctx.req as { body?: unknown }).body)
  if (isProblem(fields)) return showProblem(ctx, routing.dress, fields)
  const interaction = await found(ctx, routing, cid)
  if (!interaction) return
  const visit = await visitOf(ctx, routing, interaction)
  if (!journeyOf(visit.journey)) {
    const step = consentPage(interaction, visit, routing).step
    if (fields['step'] !== step) return showProblem(ctx, routing.dress, 'foreign_origin')
    const on = fields['action'] === 'continue' ? consent(routing.provider, interaction) : refuse(interaction)
    return seeOther(ctx, await on)
  }
  await reply(ctx, routing, interaction, visit, await submit(visit, fields, routing.policy(), routing.tools))
}

async function reply(
  ctx: Context,
  routing: Routing,
  interaction: Interaction,
  visit: OpenVisit,
  outcome: Outcome,
): Promise<void> {
  await visit.settled()
  const { provider, dress, tools } = routing
  if ('shown' in outcome) return showPage(ctx, dress, outcome.shown, around(interaction))
  if ('over' in outcome) {
    const { over: error, step } = outcome
    const back = step !== undefined && { back: { step, client: visit.client.name } }
    return showPage(ctx, dress, { error, ...back }, around(interaction))
  }
  const here = `${routing.prefix}/interaction/${interaction.cid}`
  if ('again' in outcome) return seeOther(ctx, here)
  if ('anew' in outcome)
    return seeOther(ctx, outcome.signOut ? await signOut(provider, interaction) : interaction.returnTo)
  if ('cancelled' in outcome) {
    const on = await refuse(interaction, outcome)
    await close(visit, tools)
    return seeOther(ctx, on)
  }
  if ('passed' in outcome) {
    await close(visit, tools)
    // A reset within a sign-in leads back to the sign-in page of the same request.
    return seeOther(ctx, interaction.prompt.name === 'login' ? here : await pass(interaction, outcome.accountId))
  }
  dress.jar.remember(ctx, outcome.finished)
  // Side by side: of these two, either alone leads on, home or to a new sign-in.
  const [on] = await Promise.all([answer(provider, interaction, outcome.finished), close(visit, tools)])
  seeOther(ctx, on)
}

/** Which of its data the relying party asks for; first parties never come here. */
function consentPage(interaction: Interaction, visit: Visit, { tools }: Routing): Shown {
  const missing = interaction.prompt.details as {
    missingOIDCScope?: string[]
    missingOIDCClaims?: string[]
    missingResourceScopes?: Record<string, string[]>
  }
  const resources = Object.values(missing.missingResourceScopes ?? {}).flat()
  return {
    page: {
      name: 'consent',
      client: visit.client.name,
      scopes: [...(missing.missingOIDCScope ?? []), ...resources].filter((scope) => scope !== 'openid'),
      claims: missing.missingOIDCClaims ?? [],
    },
    step: tools.digest(interaction.uid, 'consent'),
    client: visit.client.name,
    cancel: true,
  }
}
