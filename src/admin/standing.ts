// Enabled or not, signed in or not, locked out or not; and a password that must be changed.
import type { Account } from '../domain/types.ts'
import { type Act, type Acting, done, signedOut, told } from './act.ts'

export const disable =
  (acting: Acting): Act =>
  (account) =>
    account.disabled
      ? { unchanged: 'is disabled already' }
      : done({ ...signedOut(account), disabled: true }, told(acting, account, 'account.disabled'))

export const enable =
  (acting: Acting): Act =>
  (account) =>
    account.disabled
      ? done({ ...account, disabled: false }, told(acting, account, 'account.enabled'))
      : { unchanged: 'is enabled already' }

export const revokeSessions =
  (acting: Acting): Act =>
  (account) =>
    done(signedOut(account), told(acting, account, 'account.signed-out'))

/** The password still works, for nothing but to be changed. */
export const requireChange =
  (acting: Acting): Act =>
  (account) => {
    if (!account.password) return { refused: 'has no password to change' }
    const password = { ...account.password, mustChange: 'flagged' as const }
    return done({ ...signedOut(account), password }, told(acting, account, 'password.flagged'))
  }

/** The waits themselves lie in the budgets of `waitsOf`. Authenticators that were guessed at too often stay disabled. */
export const unlock =
  (acting: Acting, { thaw }: { thaw: boolean }): Act =>
  (account) => {
    const { frozen, ...rest } = account
    const unlocked = told(acting, account, 'account.unlocked')
    if (!thaw || !frozen) return done(account, unlocked)
    const since = new Date(frozen.at).toISOString()
    return done(rest, unlocked, told(acting, account, 'account.thawed', { since }))
  }

/** The budgets in which wrong passwords of an account are counted: unknown browsers together, each known one by itself. */
export const waitsOf = ({ id, browsers }: Account): string[] => [
  `password:${id}`,
  ...browsers.map((browser) => `password:${id}:${browser}`),
]
