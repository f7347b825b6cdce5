// What each page has of its own: its heading, and the values that its view reads beside the page itself.
import type { Time } from '../domain/types.ts'
import type { Page } from '../flows/pages.ts'
import type { Values } from './i18n.ts'
import { readProviderForm, safeReturn } from './safe-markup.ts'
import { all, duration, either } from './wording.ts'

/** The texts and drawings of one language. */
export interface Words {
  t(key: string, values?: Values): string
  has(key: string): boolean
  /** The drawing of a method, as the name of a partial. */
  icon(method: string): string
  language: string
}

const method = (words: Words, id: string) => ({
  id,
  name: words.has(`method.${id}.name`) ? words.t(`method.${id}.name`) : id,
  about: words.has(`method.${id}.about`) ? words.t(`method.${id}.about`) : '',
  icon: words.icon(id),
})

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
      return words.t(page.purpose === 'second-factor' ? 'title.choose-method' : `title.choose-method.${page.purpose}`)
    case 'message':
      return words.t(`title.${page.message}`)
    default:
      return words.t(`title.${page.name}`)
  }
}

/** What one page's view reads beside the page itself. */
export function details(words: Words, page: Page, now: Time): Record<string, unknown> {
  switch (page.name) {
    case 'prove':
    case 'enrol': {
      const labels = page.name === 'prove' ? page.model['labels'] : undefined
      return {
        method: page.method,
        view: `methods/${page.method}/${page.name}`,
        others: page.others,
        trustGate: page.name === 'prove' && page.purpose === 'trust-gate',
        labels: Array.isArray(labels) && labels.length > 0 ? all(words.language, labels.map(String)) : undefined,
      }
    }
    case 'choose-method':
      return { choices: page.methods.map((choice) => ({ ...method(words, choice.method), hint: choice.hint })) }
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
      }
    }
    default:
      return { typed: page.username ?? '' }
  }
}
