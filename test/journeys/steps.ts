// Steps that many journeys share: a wizard up to one of its pages, who sits at the browser, what the relying party reads.
import { expect } from '@jest/globals'
import { totpCode } from '../authenticator.ts'
import { type Browser, type Response, marks } from '../browser.ts'
import { passwordOf, RP, type World } from '../world.ts'

/** Everything the browser shows that tells where the user is. */
export const at = (b: Browser): string => {
  const { page = '-', method, problem } = b.page
  return [page, method, problem && `!${problem}`].filter(Boolean).join(' ')
}

/** The page of a response that was not followed. */
export const pageOf = (response: Response): string => {
  const { page = '-', problem } = marks(response.html)
  return problem ? `${page} !${problem}` : page
}

/** What the relying party finds in the address that it is called back with. */
export const returned = (response: Response): Record<string, string> => {
  if (!response.location?.startsWith(RP)) {
    throw new Error(`not back at the relying party: ${response.status} ${response.url} ${pageOf(response)}`)
  }
  return Object.fromEntries(new URL(response.location).searchParams)
}

/** Name and password, from a fresh authorization request. */
export async function password(
  w: World,
  b: Browser,
  username: string,
  authorize: Record<string, string> = {},
): Promise<Response> {
  await b.open(w.authorize(authorize))
  return b.submit({ username, password: passwordOf(username), action: 'continue' })
}

export type Stop = 'registration' | 'trust-gate' | 'totp' | 'recovery-codes' | 'registered'

/** Forced registration up to one of its pages. Answers the secret once there is one. */
export async function wizard(w: World, b: Browser, username: string, stop: Stop): Promise<string> {
  await password(w, b, username)
  expect(at(b)).toBe('registration')
  if (stop === 'registration') return ''
  await b.submit({ action: 'continue' })
  expect(at(b)).toBe('prove email')
  if (stop === 'trust-gate') return ''
  await b.submit({ code: await w.code(`${username}@example.org`), action: 'continue' })
  expect(at(b)).toBe('enrol totp')
  const { secret } = b
  if (stop === 'totp') return secret
  await b.submit({ code: totpCode(secret, w.clock.now()), action: 'continue' })
  expect(at(b)).toBe('enrol recovery-codes')
  if (stop === 'recovery-codes') return secret
  await b.submit({ acknowledged: 'yes', action: 'continue' })
  expect(at(b)).toBe('registered')
  return secret
}

/** Methods that the account has registered, in order. */
export const registered = async (w: World, username: string): Promise<string[]> =>
  (await w.account(username)).credentials.map(({ method }) => method)

/** Six digits that no authenticator of this secret shows around `at`. */
export function wrongCode(secret: string, at: number, salt = 0): string {
  const near = new Set([-60_000, -30_000, 0, 30_000, 60_000].map((away) => totpCode(secret, at + away)))
  for (let guess = 100_000 + salt; ; guess++) if (!near.has(String(guess))) return String(guess)
}
