// Somebody who registered everything, without walking there; and the steps of a reset, one function each.
import { randomBytes } from 'node:crypto'
import { recoveryCode, recoveryCodeTyped } from '../../src/domain/codes.ts'
import { vaultFor } from '../../src/domain/seal.ts'
import type { Account, Credential } from '../../src/domain/types.ts'
import { createMethods } from '../../src/methods/index.ts'
import { totpCode } from '../authenticator.ts'
import type { Browser, Response } from '../browser.ts'
import { mailedCode, submitForMail } from '../attacks/attacker.ts'
import { passwordOf, verifier, RP, type World } from '../world.ts'

export interface Owner {
  id: string
  username: string
  secret: string
  /** Recovery codes, unspent. */
  codes: string[]
}

type Method = 'totp' | 'email' | 'recovery-codes'
const all: readonly Method[] = ['totp', 'email', 'recovery-codes']

const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'
/** Registered long ago: older than whatever a test denies. */
const LONG_AGO = Date.UTC(2026, 0, 1)

/** An account with these methods, straight in the store. Further addresses are further credentials. */
export async function owner(
  w: World,
  username: string,
  {
    methods = all,
    addresses = [`${username}@example.org`],
    ...more
  }: Partial<Account> & {
    methods?: readonly Method[]
    addresses?: readonly string[]
  } = {},
): Promise<Owner> {
  const id = randomBytes(16).toString('base64url')
  const vault = vaultFor(w.self.keys, id)
  const codes = Array.from({ length: 10 }, () => recoveryCode(w.clock))
  const app = createMethods()
    .find((method) => method.id === 'totp')
    ?.importRow?.({ secret: SECRET, label: 'phone' }, { vault, chance: w.clock })
  if (typeof app !== 'object') throw new Error('the authenticator was not taken')
  const of = (method: string, data: unknown, name = method): Credential => ({
    id: `${name}-${id}`,
    method,
    label: '',
    addedAt: LONG_AGO,
    data,
  })
  const made: Record<Method, Credential[]> = {
    totp: [{ ...app, addedAt: LONG_AGO }],
    email: addresses.map((address) => of('email', { address }, address)),
    'recovery-codes': [
      of('recovery-codes', {
        codes: codes.map((code) => ({ digest: vault.digest(recoveryCodeTyped(code) ?? '', 'recovery-codes') })),
      }),
    ],
  }
  await w.add(username, { id, credentials: methods.flatMap((method) => made[method]), ...more })
  return { id, username, secret: SECRET, codes }
}

export type Who = Owner | { username: string; secret: string; codes: string[] }

/** What nobody's name is walked with: right for no account. */
export const nobody = (username: string): Who => ({
  username,
  secret: SECRET,
  codes: [recoveryCode({ now: Date.now, random: randomBytes })],
})

/** "Forgot password?" on the sign-in page of a relying party. */
export async function forgot(w: World, b: Browser, authorize: Record<string, string> = {}): Promise<Response> {
  await b.open(w.authorize(authorize))
  return b.submit({ action: 'forgot' })
}

export const named = (b: Browser, username: string, action: 'continue' | 'unlock' = 'continue'): Promise<Response> =>
  b.submit({ username, action })

/** A code of the next half minute, so that none is used twice. */
export async function byApp(w: World, b: Browser, { secret }: Pick<Owner, 'secret'>): Promise<Response> {
  w.clock.tick(30_000)
  await b.submit({ method: 'totp' })
  return b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
}

/** Asked for more than a minute after the last one. */
export async function byMail(w: World, b: Browser, { username }: Pick<Owner, 'username'>): Promise<Response> {
  w.clock.tick(61_000)
  await submitForMail(w, b, { method: 'email' })
  return b.submit({ code: await mailedCode(w, b, username), action: 'continue' })
}

export async function byCode(b: Browser, { codes }: Pick<Owner, 'codes'>): Promise<Response> {
  await b.submit({ method: 'recovery-codes' })
  return b.submit({ code: codes.shift() ?? '', action: 'continue' })
}

export const choose = (b: Browser, password: string, confirm = password): Promise<Response> =>
  b.submit({ new_password: password, confirm_password: confirm, action: 'continue' })

/** From the sign-in page to the page that asks for the new password. */
export async function gates(w: World, b: Browser, who: Who): Promise<Response> {
  await forgot(w, b)
  await named(b, who.username)
  await byApp(w, b, who)
  return byCode(b, who)
}

export const newPassword = (): string => `${randomBytes(9).toString('base64url')} otter lamp`

/** Name, password, and the second factor when it is asked for; the window ends wherever that leads. */
export async function enter(
  w: World,
  b: Browser,
  who: Pick<Owner, 'username' | 'secret'>,
  {
    password = passwordOf(who.username),
    authorize = {},
  }: { password?: string; authorize?: Record<string, string> } = {},
): Promise<Response> {
  await b.open(w.authorize(authorize))
  await b.submit({ username: who.username, password, action: 'continue' })
  if (b.page.method !== 'totp') return b.now as Response
  w.clock.tick(30_000)
  return b.submit({ code: totpCode(who.secret, w.clock.now()), action: 'continue' })
}

/** What the password page says to name and password alone: right or not. */
export async function opens(w: World, who: Pick<Owner, 'username'>, password: string): Promise<boolean> {
  const b = w.browser()
  b.headers['x-forwarded-for'] = [10, ...randomBytes(3)].join('.')
  await b.open(w.authorize())
  await b.submit({ username: who.username, password, action: 'continue' })
  return b.page.page !== 'sign-in'
}

export const redemption = (response: Response): Record<string, string> => ({
  grant_type: 'authorization_code',
  code: new URL(response.location ?? 'http://none').searchParams.get('code') ?? '',
  redirect_uri: `${RP}/cb`,
  code_verifier: verifier,
})

/** Mails that arrived at an address, once there are so many. */
export async function mailsTo(w: World, to: string, least = 0): Promise<{ subject: string; text: string }[]> {
  for (let tries = 0; tries < 1000; tries++) {
    const arrived = w.outbox.mails().filter((mail) => mail.to === to)
    if (arrived.length >= least) return [...arrived]
    await new Promise((done) => setTimeout(done, 5))
  }
  throw new Error(`fewer than ${least} mails for ${to}`)
}

/** The link of the last notice with this subject, once it arrived. */
export async function notMeLink(w: World, to: string, subject: RegExp): Promise<string> {
  for (let tries = 0; tries < 1000; tries++) {
    const mail = w.outbox.mails().findLast((one) => one.to === to && subject.test(one.subject))
    const link = mail && /https?:\S+\/not-me\/\S+/.exec(mail.text)?.[0]
    if (link) return link
    await new Promise((done) => setTimeout(done, 5))
  }
  throw new Error(`no notice ${String(subject)} for ${to}`)
}
