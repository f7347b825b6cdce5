// Turns what a flow answered into a response: status, page, language, headers. The only place that writes HTML to a client.
import type { Context } from 'koa'
import type { Policy } from '../domain/policy.ts'
import type { Problem, ProblemCode } from '../domain/problems.ts'
import type { Shown } from '../flows/pages.ts'
import type { Jar } from './cookies.ts'
import { contentSecurityPolicy, sourceOf } from './guard.ts'
import type { Rendering, Stopped, Views } from './render.ts'

export interface Dress {
  views: Views
  jar: Jar
  service: { name: string }
  /** Where assets are served, without a slash at the end. */
  assets: string
  policy(): Policy
  now(): number
}

export interface Around {
  /** `ui_locales` of the authorization request. */
  uiLocales?: string | undefined
  /** Addresses that a form of this page may lead to. */
  leadsTo?: readonly unknown[]
}

export function languageOf(ctx: Context, dress: Dress, uiLocales?: string): string {
  const chosen = ctx.query['ui_locales']
  return dress.views.negotiate({
    uiLocales:
      typeof chosen === 'string' ? chosen : uiLocales === undefined || dress.jar.language(ctx) ? undefined : uiLocales,
    cookie: dress.jar.language(ctx),
    acceptLanguage: ctx.get('accept-language'),
  })
}

/** The reference number that page and log share. */
export const referenceOf = (ctx: Context): string => (ctx.state as { reference?: string }).reference ?? ''

export function showPage(ctx: Context, dress: Dress, shown: Shown | Stopped, around: Around = {}): void {
  const language = languageOf(ctx, dress, around.uiLocales)
  const chosen = ctx.query['ui_locales']
  if (typeof chosen === 'string' && chosen === language) dress.jar.setLanguage(ctx, language)
  const { helpdesk } = dress.policy()
  const rendering: Rendering = {
    shown,
    language,
    reference: referenceOf(ctx),
    service: dress.service,
    assets: dress.assets,
    now: dress.now(),
    ...(helpdesk !== undefined && { helpdesk }),
  }
  const { status, html } = dress.views.page(rendering)
  ctx.status = status
  ctx.type = 'html'
  ctx.set('Cache-Control', 'no-store')
  ctx.set('Content-Language', language)
  ctx.set('Vary', 'Accept-Language, Cookie')
  ctx.set('Content-Security-Policy', contentSecurityPolicy((around.leadsTo ?? []).flatMap(sourceOf)))
  const until = 'error' in shown ? shown.until : shown.problem?.until
  if (until !== undefined) ctx.set('Retry-After', String(Math.max(1, Math.ceil((until - dress.now()) / 1000))))
  ctx.body = html
}

export const showProblem = (ctx: Context, dress: Dress, problem: ProblemCode | Problem, around: Around = {}): void => {
  const { problem: error, until } = typeof problem === 'string' ? { problem, until: undefined } : problem
  showPage(ctx, dress, { error, ...(until !== undefined && { until }) }, around)
}

/** RFC 9110 15.4.4: the answer to a form is somewhere else, to be fetched with GET. */
export function seeOther(ctx: Context, location: string): void {
  ctx.redirect(location)
  ctx.status = 303
  ctx.set('Cache-Control', 'no-store')
}
