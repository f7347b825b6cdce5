// Pages and mails as HTML and text: everything is read and compiled once, when the program starts.
import { type Asset, createAssets } from './assets.ts'
import { createTexts, type Language, type Values } from './i18n.ts'
import { type MailValues, mailContext } from './mail-context.ts'
import { negotiate, type Wishes } from './negotiate.ts'
import { pageContext, type Rendering } from './page-context.ts'
import { compileTemplates } from './templates.ts'
import { readViews } from './view-files.ts'

export type { Asset } from './assets.ts'
export type { Language } from './i18n.ts'
export type { MailValues } from './mail-context.ts'
export type { Wishes } from './negotiate.ts'
export type { Rendering, Stopped } from './page-context.ts'

export interface Views {
  /** The status is that of the problem shown, 200 else. */
  page(rendering: Rendering): { status: number; html: string }
  /** Values are shown as they are, but for those that `mail-context.ts` puts into words. */
  mail(template: string, language: string, values: MailValues): { subject: string; text: string; html: string }
  languages: readonly Language[]
  /** A file by its content-hashed name: it may be cached for ever. */
  asset(name: string): Asset | undefined
  /** The name under which a page links to a file of `views/public/`. */
  assetName(file: string): string
  negotiate(wishes: Wishes): string
  /** One text, for what is not a page: an OAuth error description, a line in a notice. */
  text(language: string, key: string, values?: Values): string
}

/**
 * `overrides`: a host's own folder of views. A template or public file there replaces ours of the same name, texts are
 * merged key by key, and `public/brand.css` is added to our stylesheet. Rejects when a file of either folder is wrong, naming it.
 */
export async function createViews(options: { overrides?: string } = {}): Promise<Views> {
  const layers = await readViews(options.overrides)
  const texts = createTexts(layers)
  const templates = compileTemplates(layers, texts)
  const assets = createAssets(layers)
  const tags = texts.languages.map(({ tag }) => tag)
  const has = (view: string): boolean => templates.has(view)
  return {
    page: (rendering) => {
      const { named: asset, has: hasAsset } = assets
      const context = pageContext(rendering, { texts, has, asset, hasAsset })
      return { status: context.status, html: templates.render(`pages/${context.name}`, context) }
    },
    mail: (template, language, values) => {
      const context = mailContext(texts, language, template, values)
      return {
        subject: String(context['subject']),
        text: templates.render(`mail/${template}.text`, context),
        html: templates.render(`mail/${template}.html`, context),
      }
    },
    languages: texts.languages,
    asset: (name) => assets.find(name),
    assetName: (file) => assets.named(file),
    negotiate: (wishes) => negotiate(tags, wishes),
    text: (language, key, values) => texts.text(language, key, values),
  }
}
