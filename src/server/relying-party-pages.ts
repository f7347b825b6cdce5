// Pages of the demonstration's relying party. No script.
import { html, type Markup } from './escape.ts'

export const stylesheet = `:root { color-scheme: light dark; --ink: light-dark(#1b2430, #e7ecf3); --soft: light-dark(#5a6675, #a3afbf);
  --paper: light-dark(#f4f6f9, #11161d); --card: light-dark(#ffffff, #1a212b); --line: light-dark(#d9dfe7, #303a48);
  --mark: light-dark(#0b5cad, #7db8ff); --on-mark: light-dark(#ffffff, #0c1a2a); --wash: light-dark(#e9f2fc, #16283d) }
* { box-sizing: border-box }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
main { max-width: 44rem; margin: 8vh auto; padding: 2rem clamp(1rem, 5vw, 2.5rem); background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem }
@media (max-width: 46rem) { main { margin: 0; min-height: 100vh; border: 0; border-radius: 0 } }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem } p { margin: 0 0 1rem } .soft { color: var(--soft) }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0 0 } form { margin: 0 }
button, .button { display: inline-block; font: inherit; font-weight: 600; padding: .6rem 1.4rem; border-radius: .5rem; cursor: pointer;
  border: 1px solid var(--mark); background: var(--mark); color: var(--on-mark); text-decoration: none }
button.quiet { background: transparent; color: var(--mark) }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 3px }
table { width: 100%; border-collapse: collapse; margin: 1rem 0 0 } caption { text-align: left; color: var(--soft); padding-bottom: .35rem }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem .5rem; border-top: 1px solid var(--line); overflow-wrap: anywhere }
th { width: 11rem; font-weight: 600 } tr.main { background: var(--wash) } td small { display: block; color: var(--soft) }
@media (max-width: 30rem) { th, td { display: block; width: auto; padding: .4rem .5rem } td { border-top: 0; padding-top: 0 } }
code { font: .92em ui-monospace, monospace }
`

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

export const signedOutPage = (issuer: string): string =>
  frame(
    'Demo application',
    'signed-out',
    html`<h1>Demo application</h1>
<p>An application that knows no passwords: it sends you to <code>${issuer}</code> and is told who you are.</p>
<div class="actions"><a class="button" href="/sign-in">Sign in</a></div>`,
  )

export interface SignedIn {
  claims: Readonly<Record<string, unknown>>
  refreshToken?: string
  refreshed: number
  /** From the userinfo endpoint: the ID token holds only what is about the sign-in. */
  name?: string
}

export function signedInPage({ claims, refreshToken, refreshed, name = '' }: SignedIn): string {
  const first = ['acr', 'amr', 'auth_time']
  const rest = Object.keys(claims).filter((claim) => !first.includes(claim))
  return frame(
    'Signed in',
    'signed-in',
    html`<h1>Signed in</h1>
<p>The provider says that you are <strong>${name || claims['sub']}</strong>.</p>
<table>
<caption>Claims of the ID token${refreshed > 0 ? `, refreshed ${refreshed} time${refreshed === 1 ? '' : 's'}` : ''}</caption>
<tbody>
${[...first, ...rest]
  .filter((claim) => claims[claim] !== undefined)
  .map(
    (
      claim,
    ) => html`<tr${first.includes(claim) ? html` class="main"` : ''}><th scope="row">${claim}</th><td><code data-claim="${claim}">${valueOf(claims[claim])}</code>${meaning(claim, claims[claim])}</td></tr>
`,
  )}</tbody>
</table>
<div class="actions">
${refreshToken === undefined ? '' : html`<form method="post" action="/refresh"><button class="quiet">Refresh</button></form>`}
<form method="post" action="/sign-out"><button>Sign out</button></form>
</div>`,
  )
}

export const outcomePage = (title: string, text: string): string =>
  frame(
    title,
    'outcome',
    html`<h1>${title}</h1>
<p class="soft">${text}</p>
<div class="actions"><a class="button" href="/">Back to the start</a></div>`,
  )

const valueOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

const factors: Record<string, string> = {
  pwd: 'a password',
  otp: 'a one-time code',
  mfa: 'two factors together',
  sms: 'a text message',
  pop: 'a key',
  user: 'the user was there',
}

/** What the claims say that matter here, in words. */
function meaning(claim: string, value: unknown): Markup | '' {
  if (claim === 'auth_time' || claim === 'iat' || claim === 'exp') {
    return typeof value === 'number' ? html`<small>${new Date(value * 1000).toUTCString()}</small>` : ''
  }
  if (claim === 'amr' && Array.isArray(value)) {
    return html`<small>shown: ${value.map((one) => factors[String(one)] ?? String(one)).join(', ')}</small>`
  }
  if (claim === 'acr' && typeof value === 'string') {
    return html`<small>${value.endsWith(':mfa') ? 'multi-factor' : 'one factor'} sign-in</small>`
  }
  return ''
}
