// Every address of ours, one line each.
import { Router } from '@koa/router'
import type { Context } from 'koa'
import type { NotMe } from '../domain/ports.ts'
import { isProblem } from '../domain/problems.ts'
import type { Visit } from '../flows/flow.ts'
import { journeyOf } from '../flows/journeys.ts'
import type { Shown } from '../flows/pages.ts'
import { RESET } from '../flows/record.ts'
import { close, type Outcome, show, submit } from '../flows/run.ts'
import { answer, consent, type Interaction, pass, refuse, signOut, type Tell } from '../oidc/interaction.ts'
import { selfRequest } from '../oidc/self-client.ts'
import { evenly } from './evenly.ts'
import { readForm } from './form.ts'
import { foreign } from './guard.ts'
import { seeOther, showPage, showProblem } from './respond.ts'
import { locales, type OpenVisit, visitAt, type Visiting } from './visit.ts'

export interface Routing extends Visiting {
  issuer: URL
  /** Where the provider is mounted, without a slash at the end. */
  prefix: string
  /** The path of the authorization endpoint. */
  authorization(): string
  /** The path of the end-session endpoint. */
  endSession(): string
  /** The links of notices. */
  notMe: NotMe
  /** What a relying party is to hear when somebody else takes the place of its user. */
  ended: Tell
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

const around = (interaction: Interaction) => ({
  uiLocales: locales(interaction),
  leadsTo: [interaction.params['redirect_uri']],
})

async function page(ctx: Context, routing: Routing, cid: string): Promise<void> {
  const began = performance.now()
  const visited = await visitAt(ctx, routing, cid)
  if (!visited) return
  const { interaction, visit } = visited
  if (!journeyOf(visit.journey))
    return showPage(ctx, routing.dress, consentPage(interaction, visit, routing), around(interaction))
  await reply(ctx, routing, interaction, visit, await show(visit, routing.policy(), routing.tools))
  if (await resetting(visit)) await evenly(began)
}

/** A reset is walked with a name alone, by whoever knows it. */
const resetting = async ({ journey, flow }: OpenVisit): Promise<boolean> =>
  journey === RESET || (await flow)?.journey === RESET

async function form(ctx: Context, routing: Routing, cid: string): Promise<void> {
  const began = performance.now()
  if (foreign(ctx.req, routing.issuer.origin)) return showProblem(ctx, routing.dress, 'foreign_origin')
  const fields = await readForm(ctx.req, (ctx.req as { body?: unknown }).body)
  if (isProblem(fields)) return showProblem(ctx, routing.dress, fields)
  const visited = await visitAt(ctx, routing, cid)
  if (!visited) return
  const { interaction, visit } = visited
  if (!journeyOf(visit.journey)) {
    const step = consentPage(interaction, visit, routing).step
    if (fields['step'] !== step) return showProblem(ctx, routing.dress, 'foreign_origin')
    const on = fields['action'] === 'continue' ? consent(routing.provider, interaction) : refuse(interaction)
    return seeOther(ctx, await on)
  }
  await reply(ctx, routing, interaction, visit, await submit(visit, fields, routing.policy(), routing.tools))
  if (await resetting(visit)) await evenly(began)
}

async function reply(
  ctx: Context,
  routing: Routing,
  interaction: Interaction,
  visit: OpenVisit,
  outcome: Outcome,
): Promise<void> {
  if (!('finished' in outcome)) await visit.settled()
  const { provider, dress, tools, ended } = routing
  if ('shown' in outcome) return showPage(ctx, dress, outcome.shown, around(interaction))
  if ('over' in outcome) {
    const { over: error, step } = outcome
    const back = step !== undefined && { back: { step, client: visit.client.name } }
    return showPage(ctx, dress, { error, ...back }, around(interaction))
  }
  const here = `${routing.prefix}/interaction/${interaction.cid}`
  if ('again' in outcome) return seeOther(ctx, here)
  if ('anew' in outcome)
    return seeOther(ctx, outcome.signOut ? await signOut(provider, interaction, ended) : interaction.returnTo)
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
  // Side by side: of answer and end of the flow, either alone leads on, home or to a new sign-in.
  const [on] = await Promise.all([
    answer(provider, interaction, outcome.finished, ended),
    close(visit, tools),
    visit.settled(),
  ])
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
