// Notes what a browser says while pages are walked: console messages, violations of the policy, and every request.
import type { BrowserContext } from 'playwright-core'

export interface Watch {
  /** Console messages, uncaught errors and dialogs, as they came. */
  said: string[]
  /** Origins of everything that was asked for. */
  origins: Set<string>
  requests: { method: string; url: string; referer: string | undefined }[]
}

export function watch(context: BrowserContext): Watch {
  const seen: Watch = { said: [], origins: new Set(), requests: [] }
  context.on('console', (message) => seen.said.push(`${message.type()}: ${message.text()}`))
  context.on('weberror', (error) => seen.said.push(`uncaught: ${error.error().message}`))
  context.on('dialog', (dialog) => {
    seen.said.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  context.on('request', (request) => {
    const url = new URL(request.url())
    if (url.protocol === 'data:') return
    seen.origins.add(url.origin)
    seen.requests.push({ method: request.method(), url: url.href, referer: request.headers()['referer'] })
  })
  return seen
}
