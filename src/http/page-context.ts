// Turns what a flow hands over into the values that the views of pages read.
import { type ProblemCode, problems } from '../domain/problems.ts'
import type { Time } from '../domain/types.ts'
import type { Page, PageName, Shown } from '../flows/pages.ts'
import type { Texts } from './i18n.ts'
import { details, heading, type Words } from './page-details.ts'
import { safeLink } from './safe-markup.ts'
import { duration } from './wording.ts'

/** A request that ends here, without a page of a flow. */
export interface Stopped {
  error: ProblemCode
  /** When trying again makes sense. */
  until?: Time
  /** A link to start again. */
  restart?: string
  /** A button that leads back to the relying party; `step` names the flow. */
  back?: { step: string; client: string }
  /** May be shown to the reader as it is, e.g. an OAuth error description; it is escaped. */
  detail?: string
}

/** A page and all that surrounds it. */
export interface Rendering {
  shown: Shown | Stopped
  language: string
  /** The reference number that the log knows. */
  reference: string
  /** Where the form is posted to; the page's own address when absent. */
  action?: string
  /** A link, a mail address or plain words. */
  helpdesk?: string
  service: { name: string }
  /** Prefix of the assets' addresses, without a slash at the end. */
  assets: string
  /** The language switch. When absent: `?ui_locales=TAG` on the pages of a flow, none on errors, and on messages but a mailed link's. */
  languageLinks?: readonly { tag: string; href: string }[]
  now: Time
}

const fieldNames = ['username', 'password', 'code', 'acknowledged', 'new_password', 'confirm_password'] as const

const fields: Partial<Record<ProblemCode, (typeof fieldNames)[number]>> = {
  username_missing: 'username',
  wrong_password: 'password',
  password_missing: 'password',
  too_many_passwords: 'password',
  wrong_code: 'code',
  wrong_code_clock: 'code',
  code_missing: 'code',
  code_used: 'code',
  code_expired: 'code',
  too_many_codes: 'code',
  not_acknowledged: 'acknowledged',
  new_password_missing: 'new_password',
  password_mismatch: 'confirm_password',
  password_too_short: 'new_password',
  password_too_long: 'new_password',
  password_common: 'new_password',
  password_personal: 'new_password',
  password_banned: 'new_password',
  password_breached: 'new_password',
  password_same: 'new_password',
  wrong_current_password: 'password',
}

/** A help desk's link, mail address or words. */
function contact(helpdesk: string | undefined): { text: string; href?: string } | undefined {
  if (!helpdesk) return undefined
  if (/^[^\s@:/]+@[^\s@:/]+$/.test(helpdesk)) return { text: helpdesk, href: `mailto:${helpdesk}` }
  const href = /^[a-z]+:/i.test(helpdesk) ? safeLink(helpdesk) : undefined
  return href === undefined ? { text: helpdesk } : { text: helpdesk, href }
}

const marked = (step: number, steps: number, text: string): object => ({
  text,
  marks: Array.from({ length: steps }, (_, index) =>
    index + 1 < step ? 'done' : index + 1 === step ? 'now' : 'ahead',
  ),
})

function stepsOf(page: Page | undefined, words: Words): object | undefined {
  if (page?.name !== 'enrol' && page?.name !== 'prove' && page?.name !== 'choose-method') return undefined
  const { step = 0, steps = 0 } = page
  if (steps > 1) return marked(step, steps, words.t('step', { step, steps }))
  const gate = 'gate' in page ? page.gate : undefined
  return gate === undefined ? undefined : marked(gate, 2, words.t('step.proof', { step: gate, steps: 2 }))
}

const scripts = ({ assets }: Rendering, known: Known) => ({
  script: `${assets}/${known.asset('meter.js')}`,
  engine: `${assets}/${known.asset('meter-engine.js')}`,
  dictionary: `${assets}/${known.asset('meter-words.js')}`,
})

export interface PageContext {
  name: PageName
  status: number
  [value: string]: unknown
}

/** What is known of the views: their texts, which templates exist, and where assets lie. */
export interface Known {
  texts: Texts
  has(template: string): boolean
  asset(file: string): string
  hasAsset(file: string): boolean
}

export function pageContext(rendering: Rendering, known: Known): PageContext {
  const { texts } = known
  const { shown, language, now } = rendering
  const words: Words = {
    t: (key, values) => texts.text(language, key, values),
    has: (key) => texts.has(language, key),
    language,
    icon: (id) => (known.has(`methods/${id}/icon`) ? `methods/${id}/icon` : 'partials/icon-other'),
  }
  const page = 'page' in shown ? shown.page : undefined
  const found = 'page' in shown ? shown.problem : { problem: shown.error, until: shown.until }
  const problem = found && {
    code: found.problem,
    text: words.t(`problem.${found.problem}`),
    help: words.has(`problem.${found.problem}.help`) ? words.t(`problem.${found.problem}.help`) : undefined,
    until:
      found.until !== undefined && found.until > now
        ? words.t('until', { time: duration(language, found.until - now) })
        : undefined,
  }
  const field = found && fields[found.problem]
  const focus = field ?? (page?.name === 'sign-in' && !page.username ? 'username' : 'password')
  const title = page ? heading(words, page) : (problem?.text ?? '')
  const titled = page && problem ? words.t('title.problem', { problem: problem.text, title }) : title
  // The address of a page of the provider's own carries a query of its own, which a switch must not lose.
  const queried = page?.name === 'message' && page.message !== 'not-me'
  const switched = page !== undefined && !queried ? texts.languages : []
  const links =
    rendering.languageLinks ?? switched.map(({ tag }) => ({ tag, href: `?ui_locales=${encodeURIComponent(tag)}` }))
  return {
    // What a flow adds around the page.
    step: undefined,
    username: undefined,
    client: undefined,
    cancel: false,
    mailSlow: false,
    ...('page' in shown ? shown : { restart: shown.restart, detail: shown.detail, back: shown.back }),
    ...(page ? details(words, page, now, rendering.service.name) : {}),
    page: page ?? {},
    model: page && 'model' in page ? (page.model ?? {}) : {},
    name: page?.name ?? 'error',
    status: found ? problems[found.problem].status : 200,
    problem,
    alert: page ? problem : undefined,
    bad: Object.fromEntries(fieldNames.map((name) => [name, name === field])),
    focus,
    progress: stepsOf(page, words),
    heading: title,
    title: words.t('title.service', { title: titled, service: rendering.service.name }),
    language,
    languages: links.map((link) => ({
      tag: link.tag,
      href: link.href,
      name: texts.languages.find(({ tag }) => tag === link.tag)?.name ?? link.tag,
      current: link.tag === language,
    })),
    service: rendering.service,
    reference: rendering.reference,
    helpdesk: contact(rendering.helpdesk),
    action: rendering.action,
    style: `${rendering.assets}/${known.asset('style.css')}`,
    icon: `${rendering.assets}/${known.asset('icon.svg')}`,
    // The one script of ours; the page works without it. It fetches its parts when somebody types.
    meter: page?.name === 'new-password' && known.hasAsset('meter.js') ? scripts(rendering, known) : undefined,
  }
}
