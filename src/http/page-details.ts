// What each page has of its own: its heading, and the values that its view reads beside the page itself.
import type { Time } from '../domain/types.ts'
import type { Page } from '../flows/pages.ts'
import type { Values } from './i18n.ts'
import { readProviderForm, safeReturn } from './safe-markup.ts'
import { all, duration, either, moment } from './wording.ts'

/** The texts and drawings of one language. */
export interface Words {
  t(key: string, values?: Values): string
  has(key: string): boolean
  /** The drawing of a method, as the name of a partial. */
  icon(method: string): string
  language: string
}

const method = (words: Words, id: string, reset = false) => {
  const about = [...(reset ? [`method.${id}.reset.about`] : []), `method.${id}.about`].find((key) => words.has(key))
  return {
    id,
    name: words.has(`method.${id}.name`) ? words.t(`method.${id}.name`) : id,
    about: about === undefined ? '' : words.t(about),
    icon: words.icon(id),
  }
}

/** The line of "what you will be asked for" that comes before the rest. */
const gateLine = (words: Words, id: string) => {
  const key = words.has(`registration.trust-gate.${id}.name`) ? id : 'other'
  return {
    name: words.t(`registration.trust-gate.${key}.name`),
    about: words.t(`registration.trust-gate.${key}.about`),
    icon: words.icon(id),
  }
}

export function heading(words: Words, page: Page): string {
  switch (page.name) {
    case 'prove':
    case 'enrol':
      return words.t(`method.${page.method}.${page.name}.title`)
    case 'choose-method':
      if (page.purpose === 'reset' && page.gate === 2) return words.t('title.choose-method.reset.second')
      return words.t(page.purpose === 'second-factor' ? 'title.choose-method' : `title.choose-method.${page.purpose}`)
    case 'new-password':
      return words.t(page.why === 'activation' ? 'title.new-password.activation' : 'title.new-password')
    case 'changed':
      return words.t(`title.changed.${page.what}`)
    case 'message':
      return words.t(`title.${page.message}`)
    default:
      return words.t(`title.${page.name}`)
  }
}

/** What a mailed link is about: the same words as in the mail's subject. */
const happened = (words: Words, { when, what }: Values, service: string) => {
  const key = `mail.notice.${String(what)}.subject`
  return {
    what: words.t(words.has(key) ? key : 'mail.notice.other.subject', { service }),
    when: typeof when === 'number' ? moment(words.language, when) : undefined,
  }
}

/** What one page's view reads beside the page itself. */
export function details(words: Words, page: Page, now: Time, service: string): Record<string, unknown> {
  switch (page.name) {
    case 'prove':
    case 'enrol': {
      // A reset asks somebody of whom nothing but a name is known: nothing of the account is shown.
      const reset = page.name === 'prove' && page.purpose === 'reset'
      const labels = page.name === 'prove' && !reset ? page.model['labels'] : undefined
      return {
        method: page.method,
        view: `methods/${page.method}/${page.name}`,
        others: page.others,
        trustGate: page.name === 'prove' && page.purpose === 'trust-gate',
        reset,
        labels: Array.isArray(labels) && labels.length > 0 ? all(words.language, labels.map(String)) : undefined,
      }
    }
    case 'choose-method': {
      const reset = page.purpose === 'reset'
      return {
        reset,
        choices: page.methods.map((choice) => ({
          ...method(words, choice.method, reset),
          hint: reset ? undefined : choice.hint,
        })),
      }
    }
    case 'new-password':
      return {
        typed: page.username,
        lead: words.t(`new-password.lead.${page.why}`),
        present: page.why !== 'activation',
        meterWords: [page.username, service].join('\n'),
      }
    case 'changed':
      return {
        lead: words.t(`changed.${page.what}`),
        next: page.signIn ? words.t(page.what === 'unlock' ? 'changed.sign-in.unlock' : 'changed.sign-in') : undefined,
      }
    case 'registration':
      return {
        gate: page.trustGate === undefined ? undefined : gateLine(words, page.trustGate),
        items: page.items.map((ids) => ({
          ...method(words, ids[0] ?? ''),
          name: either(
            words.language,
            ids.map((id) => method(words, id).name),
          ),
        })),
        left: page.grace?.until === undefined ? undefined : duration(words.language, page.grace.until - now),
      }
    case 'registered':
      return {
        credentials: page.credentials.map((credential, index) => ({
          ...method(words, credential.method),
          hint: credential.hint,
          added: credential.added,
          first: index === 0 && page.credentials.length > 1,
        })),
      }
    case 'consent':
      return {
        asked: [
          ...page.scopes.map((scope) => (words.has(`scope.${scope}`) ? words.t(`scope.${scope}`) : scope)),
          ...page.claims.map((claim) => (words.has(`claim.${claim}`) ? words.t(`claim.${claim}`) : claim)),
        ],
      }
    case 'message': {
      const { form, url } = page.model ?? {}
      return {
        view: `pages/${page.message}`,
        form: typeof form === 'string' ? readProviderForm(form) : undefined,
        refresh: typeof url === 'string' ? safeReturn(url) : undefined,
        happened: page.message === 'not-me' ? happened(words, page.model ?? {}, service) : undefined,
      }
    }
    default:
      return { typed: page.username ?? '' }
  }
}
