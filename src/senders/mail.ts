// Sends mail over SMTP.
import { createTransport } from 'nodemailer'
import type { Mail, Mailer, Chance } from '../domain/ports.ts'

/** This mail will never go out: its address, its text or its recipient was refused. Everything else is worth a retry. */
export class MailRefused extends Error {
  readonly permanent = true
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'MailRefused'
  }
}

const TIMEOUT = 10_000
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/

/** One plain address. No list, no display name, no control character reaches the envelope or a header (RS-10, OC-8). */
const isAddress = (text: string): boolean => /^[^\s\p{C},;:<>()[\]\\"@]+@[^\s\p{C},;:<>()[\]\\"@]+$/u.test(text)

const isLine = (text: string): boolean => !/\p{Cc}/u.test(text)

/** Where to connect. @throws Error with one sentence when the URL cannot be used. It never shows the password. */
function transportOptions(url: string) {
  const parsed = URL.parse(url)
  if (!parsed || !['smtp:', 'smtps:'].includes(parsed.protocol) || parsed.hostname === '') {
    throw new Error('mail.url must look like smtp://user:password@host:587 or smtps://user:password@host:465')
  }
  const secure = parsed.protocol === 'smtps:'
  const loopback = LOOPBACK.test(parsed.hostname)
  const credentials = { user: decodeURIComponent(parsed.username), pass: decodeURIComponent(parsed.password) }
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? (secure ? 465 : 587) : Number(parsed.port),
    secure,
    // Codes travel here: in the clear to this very machine only (ASVS 12.3.1).
    requireTLS: !secure && !loopback,
    ignoreTLS: !secure && loopback,
    ...(credentials.user !== '' && { auth: credentials }),
  }
}

/**
 * The server refused this recipient or this text for good (RFC 5321 4.2.1: 5yz). A refused login, sender or STARTTLS is a
 * fault of the set-up, which somebody can mend before the mail expires.
 */
function isRefusal(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { command, code, responseCode }: { command?: unknown; code?: unknown; responseCode?: unknown } = error
  const final = typeof responseCode === 'number' && responseCode >= 500 && responseCode < 600
  return final && (command === 'RCPT TO' || code === 'EMESSAGE')
}

/**
 * A mailer for `smtp:` (STARTTLS required unless the host is loopback) or `smtps:`. Resolves once the server has taken
 * the mail. `from`: "Name <address>".
 * @throws MailRefused when a retry is of no use; another Error when it is.
 */
export function createSmtpMailer({ url, from, chance }: { url: string; from: string; chance: Chance }): Mailer {
  if (!isLine(from) || !from.includes('@')) throw new Error('mail.from must be an address, or "Name <address>"')
  const transport = createTransport({
    ...transportOptions(url),
    pool: true,
    connectionTimeout: TIMEOUT,
    greetingTimeout: TIMEOUT,
    socketTimeout: TIMEOUT,
    dnsTimeout: TIMEOUT,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  let healthy = true

  return {
    async send({ to, subject, text, html }: Mail) {
      if (!isAddress(to)) throw new MailRefused('the recipient is not one plain address')
      if (!isLine(subject)) throw new MailRefused('the subject holds a control character')
      try {
        await transport.sendMail({
          from,
          to: { name: '', address: to },
          subject,
          text,
          html,
          date: new Date(chance.now()),
          // RFC 3834: no vacation notice answers it.
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
        })
        healthy = true
      } catch (cause) {
        if (isRefusal(cause)) {
          healthy = true
          throw new MailRefused('the mail server refused this mail', { cause })
        }
        healthy = false
        throw cause
      }
    },
    healthy: () => healthy,
    async close() {
      transport.close()
    },
  }
}
