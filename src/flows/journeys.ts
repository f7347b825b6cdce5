// Every flow on one page: the prompt it answers, and what it needs, in order. The first that is not met shows its page.
import type { Journey } from './flow.ts'
import { gates, named, unlocked } from './forgot.ts'
import { changedPassword, forcedPassword, newPassword, told } from './new-password.ts'
import { passwordAgain, signedIn } from './password.ts'
import { enrolled, finished, informed, trustGate } from './registration.ts'
import { recentFactor, secondFactor } from './second-factor.ts'

const registration = [informed, trustGate, enrolled, finished]

export const journeys: readonly Journey[] = [
  {
    prompt: 'forgot_password',
    signsIn: false,
    ofSession: false,
    requirements: [named, gates, unlocked, newPassword, told],
  },
  {
    prompt: 'login',
    signsIn: true,
    ofSession: false,
    requirements: [signedIn, secondFactor, informed, trustGate, forcedPassword, enrolled, finished],
  },
  // A session that was made without the factor its account has by now: another browser's, or a host's own sign-in.
  { prompt: 'second_factor', signsIn: true, ofSession: true, requirements: [secondFactor] },
  // Ends with the change itself: the session that asked for it is of an older epoch from then on.
  {
    prompt: 'change_password',
    signsIn: true,
    ofSession: true,
    requirements: [passwordAgain, recentFactor, trustGate, changedPassword],
  },
  {
    prompt: 'security_info_registration',
    signsIn: true,
    ofSession: true,
    requirements: [passwordAgain, secondFactor, ...registration],
  },
]

export const journeyOf = (prompt: string): Journey | undefined => journeys.find((journey) => journey.prompt === prompt)
