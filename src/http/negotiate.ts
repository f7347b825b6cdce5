// Which of the languages on offer a reader gets: what the relying party asks, what was chosen before, what the browser says.
import { fallbackLanguage } from './i18n.ts'

export interface Wishes {
  /** `ui_locales`: tags divided by spaces, best first (OpenID Connect Core 3.1.2.1). */
  uiLocales?: string | undefined
  /** What the reader chose here before. */
  cookie?: string | undefined
  acceptLanguage?: string | undefined
}

/** Nobody means more; a longer list is somebody trying something. */
const MOST = 20

function locale(tag: string): Intl.Locale | undefined {
  try {
    return new Intl.Locale(tag).maximize()
  } catch {
    return undefined
  }
}

/** The tags of an Accept-Language header, best first (RFC 9110 12.5.4). */
export function acceptedLanguages(header: string): string[] {
  const ranges = header
    .slice(0, 1000)
    .split(',')
    .slice(0, MOST)
    .map((range) => {
      const [tag = '', ...parameters] = range.split(';').map((part) => part.trim())
      const quality = parameters.find((parameter) => /^q=/i.test(parameter))
      return { tag, quality: quality === undefined ? 1 : Number(quality.slice(2)) }
    })
  return ranges
    .filter(({ tag, quality }) => tag !== '*' && quality > 0 && quality <= 1)
    .sort((a, b) => b.quality - a.quality)
    .map(({ tag }) => tag)
}

/** The first wish that can be met: the very tag, else the same script (`zh-HK` reads `zh-TW`), else the same language. */
export function negotiate(offered: readonly string[], wishes: Wishes): string {
  const tags = [
    ...(wishes.uiLocales ?? '').slice(0, 1000).split(/\s+/).slice(0, MOST),
    wishes.cookie ?? '',
    ...acceptedLanguages(wishes.acceptLanguage ?? ''),
  ]
  for (const tag of tags.filter((candidate) => candidate !== '')) {
    const exact = offered.find((candidate) => candidate.toLowerCase() === tag.toLowerCase())
    if (exact !== undefined) return exact
    const wanted = locale(tag)
    if (!wanted) continue
    const same = offered.filter((candidate) => locale(candidate)?.language === wanted.language)
    const close = same.find((candidate) => locale(candidate)?.script === wanted.script) ?? same[0]
    if (close !== undefined) return close
  }
  return offered.includes(fallbackLanguage) ? fallbackLanguage : (offered[0] ?? fallbackLanguage)
}
