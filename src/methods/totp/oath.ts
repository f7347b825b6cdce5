// Time-based codes (RFC 6238): the only place that knows speakeasy, and all that it is trusted with is one HOTP value.
import { timingSafeEqual } from 'node:crypto'
import speakeasy from 'speakeasy'
import { typedDigits } from '../../domain/codes.ts'
import type { Chance } from '../../domain/ports.ts'
import type { Time } from '../../domain/types.ts'

const STEP = 30_000
/** One step early, one late: three codes live at once, and never more by configuration (TO-2, RFC 6238 5.2). */
const WINDOW = [-1, 0, 1]
const SECRET_BYTES = 20
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** 160 random bits (TO-1). */
export const newSecret = (chance: Chance): Buffer => chance.random(SECRET_BYTES)

/** RFC 4648 base32, without padding. */
export function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? []).map((five) => ALPHABET.charAt(Number.parseInt(five.padEnd(5, '0'), 2))).join('')
}

/** Strict, but for case, spaces, dashes and padding. Undefined when it is no base32 (a typo must not become a secret). */
export function fromBase32(text: string): Buffer | undefined {
  const plain = text.toUpperCase().replace(/[\s-]/g, '').replace(/=+$/, '')
  // 1, 3 and 6 characters after the last group of eight encode no whole byte.
  if (!/^[A-Z2-7]+$/.test(plain) || [1, 3, 6].includes(plain.length % 8)) return undefined
  const bits = Array.from(plain, (letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}

export const stepAt = (at: Time): number => Math.floor(at / STEP)

/** The code of one step. Authenticator apps use SHA-1 and six digits; the rest is for the vectors of RFC 6238. */
export const codeOf = (
  secret: Buffer,
  step: number,
  { algorithm = 'sha1', digits = 6 }: { algorithm?: 'sha1' | 'sha256' | 'sha512'; digits?: number } = {},
): string => speakeasy.hotp({ secret: secret.toString('hex'), encoding: 'hex', counter: step, algorithm, digits })

/** Six digits as they were typed, or undefined. Spaces and full-width digits are fine, nothing else is (TO-10). */
export function codeTyped(text: string | undefined): string | undefined {
  const digits = typedDigits(text)
  return /^\d{6}$/.test(digits) ? digits : undefined
}

/** The steps around now whose code this is, oldest first; none for a wrong code. Compared in constant time (SC-5). */
export const stepsOf = (secret: Buffer, code: string, at: Time): number[] =>
  WINDOW.map((offset) => stepAt(at) + offset).filter(
    (step) => step >= 0 && timingSafeEqual(Buffer.from(codeOf(secret, step)), Buffer.from(code)),
  )

/** The first `count` characters; none is cut in half. */
export const firstOf = (text: string, count: number): string => Array.from(text).slice(0, count).join('')

/** What an authenticator app reads from the QR code. Escaped once, here. */
export function otpauthUri({ secret, issuer, account }: { secret: Buffer; issuer: string; account: string }): string {
  // A colon parts issuer and account; both are cut so that the QR code stays readable.
  const plain = (text: string) => encodeURIComponent(firstOf(text.toWellFormed().replaceAll(':', ' '), 64))
  const query = `secret=${base32(secret)}&issuer=${plain(issuer)}&algorithm=SHA1&digits=6&period=30`
  return `otpauth://totp/${plain(issuer)}:${plain(account)}?${query}`
}
