// Codes that people type, ids that nobody types, and how names are compared.
import type { Chance } from './ports.ts'

const MAILED_DIGITS = 8
const MAILED_CODES = 10 ** MAILED_DIGITS
/** The largest multiple of the number of codes below 2^32: what lies above would make low codes likelier. */
const FAIR = Math.floor(2 ** 32 / MAILED_CODES) * MAILED_CODES

/** Eight digits, uniform, leading zeros kept (OC-1). */
export function mailedCode(chance: Chance): string {
  for (;;) {
    const drawn = chance.random(4).readUInt32BE()
    if (drawn < FAIR) return String(drawn % MAILED_CODES).padStart(MAILED_DIGITS, '0')
  }
}

/** What was typed into a field for digits: full-width digits become plain ones, spaces go. Not yet checked. */
export const typedDigits = (text: string | undefined): string => (text ?? '').normalize('NFKC').replace(/\s/gu, '')

export const isMailedCode = (digits: string): boolean => /^\d{8}$/.test(digits)

/** Crockford's base32: no I, L, O, U, so that nothing looks alike. */
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const RECOVERY_BYTES = 15

/** 120 bits as six groups of four: `7K3D-9QXM-...` (RC-1). */
export function recoveryCode(chance: Chance): string {
  let bits = BigInt(`0x${chance.random(RECOVERY_BYTES).toString('hex')}`)
  let code = ''
  for (let place = 0; place < 24; place++) {
    code = CROCKFORD.charAt(Number(bits & 31n)) + code
    bits >>= 5n
  }
  return code.match(/.{4}/g)?.join('-') ?? ''
}

/** The 24 characters of a typed recovery code, or undefined when it cannot be one. Case, dashes and spaces do not matter. */
export function recoveryCodeTyped(text: string): string | undefined {
  const plain = text
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[\s\p{Dash}]/gu, '')
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
  return /^[0-9A-HJKMNP-TV-Z]{24}$/.test(plain) ? plain : undefined
}

/** The reference number that page and log share: ten letters that are not misheard when they are read out. */
export const referenceNumber = (chance: Chance): string =>
  [...chance.random(10)].map((byte) => CROCKFORD.charAt(byte & 31)).join('')

/** 128 random bits: nobody guesses one, so it needs no keyed digest. */
export const opaqueId = (chance: Chance): string => chance.random(16).toString('base64url')

/**
 * The form in which names are compared: NFKC, without what cannot be seen, trimmed, case folded (TH-5). Upper case first
 * folds what lower case alone would keep apart (`ß` and `SS`, the two small sigmas).
 */
export function usernameKey(name: string): string {
  const folded = name
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC')
    .trim()
  return folded === name ? folded : usernameKey(folded)
}
