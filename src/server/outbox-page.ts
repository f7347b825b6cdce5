// For development: the mails that would have been sent, as a page and as JSON.
import type { Middleware } from 'koa'
import type { KeptMail } from '../senders/outbox.ts'
import { html } from './escape.ts'

export const outboxPath = '/dev/outbox'

export function outboxPage(mails: () => readonly KeptMail[]): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== outboxPath && ctx.path !== `${outboxPath}.json`) {
      await next()
      return
    }
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.status = 405
      ctx.set('Allow', 'GET, HEAD')
      return
    }
    ctx.set('Cache-Control', 'no-store')
    ctx.set('X-Content-Type-Options', 'nosniff')
    if (ctx.path.endsWith('.json')) {
      ctx.body = mails()
      return
    }
    // The frames inherit this policy, and mails bring their own styles: no script, no request, no form.
    ctx.set(
      'Content-Security-Policy',
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    ctx.set('Referrer-Policy', 'no-referrer')
    ctx.type = 'html'
    ctx.body = page(mails().toReversed()).markup
  }
}

const page = (mails: readonly KeptMail[]) => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Outbox (${mails.length})</title>
<style>
body { background: Canvas; color: CanvasText; font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
article { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem; padding: 1rem 1.25rem; margin: 1rem 0 }
a, summary { color: inherit } h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 0 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: .75rem 0 }
p { margin: .25rem 0 } small { opacity: .75 }
iframe { width: 100%; height: 26rem; border: 0; background: Canvas; border-radius: .25rem; margin-top: .5rem }
</style>
</head>
<body>
<main data-page="outbox">
<h1>Outbox</h1>
<p>Mails that would have been sent, newest first. This page exists in development only. <a href="${outboxPath}">Look again</a></p>
${mails.length === 0 ? html`<p>Nothing yet.</p>` : ''}
${mails.map(
  (mail) => html`<article>
<h2>${mail.subject}</h2>
<p><small>to ${mail.to}, <time datetime="${new Date(mail.at).toISOString()}">${new Date(mail.at).toUTCString()}</time></small></p>
<pre>${mail.text}</pre>
<details><summary>As HTML</summary><iframe sandbox="" title="${mail.subject}" srcdoc="${mail.html}"></iframe></details>
</article>
`,
)}
</main>
</body>
</html>
`
