// Every page that a flow can show, as data. `http/render.ts` and `views/` turn them into HTML; tests drive them by name.
import type { Problem } from '../domain/problems.ts'
import type { Time } from '../domain/types.ts'
import type { ViewModel } from '../methods/method.ts'

/** A method on offer. `hint` tells which credential ("Phone"). */
export interface Choice {
  method: string
  hint?: string
}

export type Page =
  /** Name and password. `username` is a hint or what was typed before. `forgot` offers "Forgot password?". */
  | { name: 'sign-in'; username?: string; forgot?: boolean }
  /** The password again, of a user who is signed in. */
  | { name: 'password'; username: string }
  /** One method's proof. `purpose` tells sign-in from the trust gate ("first we make sure that it is you"). */
  | {
      name: 'prove'
      method: string
      purpose: 'second-factor' | 'trust-gate' | 'reset'
      /** Which of the two gates of a reset. */
      gate?: 1 | 2
      /** At the trust gate: the first step of a registration. */
      step?: number
      steps?: number
      others: boolean
      model: ViewModel
    }
  | {
      name: 'choose-method'
      purpose: 'second-factor' | 'trust-gate' | 'enrol' | 'reset'
      gate?: 1 | 2
      /** Of a registration. */
      step?: number
      steps?: number
      methods: readonly Choice[]
    }
  /** Forgot password: the name, and whether to reset or (`unlock`) only to end the waits of a known password. */
  | { name: 'forgot'; username?: string; unlock: boolean }
  /** The new password twice. `least`: code points. */
  | {
      name: 'new-password'
      why: 'reset' | 'activation' | 'change' | 'temporary' | 'flagged' | 'compromised'
      username: string
      least: number
    }
  /** A password was reset, set or changed, or the waits have ended. `signIn`: the way on is to sign in with it. */
  | { name: 'changed'; what: 'reset' | 'activation' | 'change' | 'unlock'; signIn: boolean }
  /** "More information required": what will be asked and why. `trustGate` is the method asked for first. */
  | {
      name: 'registration'
      trustGate?: string
      items: readonly (readonly string[])[]
      grace?: { skips: number; until?: Time }
    }
  /** One thing to register; `steps` counts the trust gate, which registers the address that it proves. */
  | {
      name: 'enrol'
      method: string
      step: number
      steps: number
      others: boolean
      model: ViewModel
    }
  /** The finished page: everything that is registered; the first is the default. */
  | { name: 'registered'; credentials: readonly (Choice & { added: boolean })[] }
  | { name: 'consent'; client: string; scopes: readonly string[]; claims: readonly string[]; uri?: string }
  /** Everything is done and only the way on is left. */
  | {
      name: 'message'
      message:
        | 'continue'
        | 'signed-out'
        | 'sign-out'
        | 'device-code'
        | 'device-confirm'
        | 'device-done'
        /** A mailed link was opened: one button (`action=continue`) signs out everywhere and closes changes. `model: {when, what}`. */
        | 'not-me'
        | 'not-me-done'
        /** The end of a page that began without a relying party. `model: {action: 'change_password' | ...}`. */
        | 'done'
        | 'cancelled'
      model?: ViewModel
    }

export type PageName = Page['name'] | 'error'

/** A page with what surrounds it. */
export interface Shown {
  page: Page
  problem?: Problem
  /** Hidden field `step`: names flow, turn and browser; a form without it is refused. */
  step?: string
  /** Shown as "signed in as ... not you?" */
  username?: string
  /** The relying party's name. */
  client?: string
  /** Offers "Cancel" (answered with `access_denied`). */
  cancel: boolean
  /** Mails are late: say so and what else works. */
  mailSlow?: boolean
}
