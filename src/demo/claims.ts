// Claims as a table, the ones about the sign-in first and in words.
import { html, type Markup } from '../server/escape.ts'

type Claims = Readonly<Record<string, unknown>>

const first = ['acr', 'amr', 'auth_time']

/** `mark`: the attribute by which a machine finds each value. */
export function claimsTable(caption: string, claims: Claims, mark = 'claim'): Markup {
  const rest = Object.keys(claims).filter((claim) => !first.includes(claim))
  const rows = [...first, ...rest]
    .filter((claim) => claims[claim] !== undefined)
    .map((claim) => {
      const attribute: Markup = { markup: `data-${mark}` }
      const kind = first.includes(claim) ? html` class="main"` : ''
      return html`<tr${kind}><th scope="row">${claim}</th><td><code ${attribute}="${claim}">${valueOf(claims[claim])}</code>${meaning(claim, claims[claim])}</td></tr>
`
    })
  return html`<table>
<caption>${caption}</caption>
<tbody>
${rows}</tbody>
</table>`
}

const valueOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

const factors: Readonly<Record<string, string>> = {
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
