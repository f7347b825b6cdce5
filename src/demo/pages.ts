// Pages of the demonstration's relying party, a shop. No script.
import { html, type Markup } from '../server/escape.ts'
import { claimsTable } from './claims.ts'
import type { User } from './provider.ts'
import type { Notice } from './visits.ts'

const frame = (title: string, page: string, body: Markup): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main data-page="${page}">
${body}
</main>
</body>
</html>
`.markup

const told = (notice: Notice | undefined): Markup | '' =>
  notice === undefined
    ? ''
    : html`<div class="notice" role="status" data-outcome="${notice.outcome}">
<p>${notice.text}</p>
${notice.receipt ? claimsTable('What the shop’s API was told about the access token', notice.receipt.token, 'introspected') : ''}
</div>`

export const signedOutPage = (issuer: string, notice?: Notice): string =>
  frame(
    'Demo shop',
    'signed-out',
    html`<h1>Demo shop</h1>
<p>A shop that knows no passwords: it sends you to <code>${issuer}</code> and is told who you are.</p>
${told(notice)}
<div class="actions"><a class="button" href="/sign-in">Sign in</a></div>`,
  )

export interface Shown extends User {
  /** Where the shop's API is. */
  api: string
}

export const signedInPage = ({ claims, refreshToken, refreshed, name, api }: Shown, notice?: Notice): string =>
  frame(
    'Demo shop: signed in',
    'signed-in',
    html`<h1>Demo shop</h1>
<p>The provider says that you are <strong>${name ?? claims.sub}</strong>.</p>
${told(notice)}
<section>
<h2>Your basket: one teapot</h2>
<p class="soft">Looking around takes a sign-in; paying takes a second factor. The shop’s API at <code>${api}</code> decides,
and says what is missing (RFC 9470). Another address for your parcels also takes a sign-in of the last five minutes.</p>
<div class="actions">
<form method="post" action="/checkout"><button>Checkout</button></form>
<form method="post" action="/delivery-address"><button class="quiet">Change the delivery address</button></form>
</div>
</section>
<section>
<h2>Your account at the provider</h2>
<p><a href="/change-password">Change your password</a> · <a href="/security-info">Set up security info</a></p>
</section>
<section>
<h2>What the provider said</h2>
${claimsTable(`Claims of the ID token${refreshed > 0 ? `, refreshed ${refreshed} time${refreshed === 1 ? '' : 's'}` : ''}`, claims)}
<div class="actions">
${refreshToken === undefined ? '' : html`<form method="post" action="/refresh"><button class="quiet">Refresh</button></form>`}
<form method="post" action="/sign-out"><button>Sign out</button></form>
</div>
</section>`,
  )

export const outcomePage = (title: string, text: string): string =>
  frame(
    title,
    'outcome',
    html`<h1>${title}</h1>
<p class="soft">${text}</p>
<div class="actions"><a class="button" href="/">Back to the start</a></div>`,
  )
