// Every flow on one page: the prompt it answers, and what it needs, in order. The first that is not met shows its page.
import { lacking } from './demand.ts'
import type { Facts, Journey, Requirement } from './flow.ts'
import { gates, named, unlocked } from './forgot.ts'
import { changedPassword, forcedPassword, newPassword, told } from './new-password.ts'
import { passwordAgain, signedIn } from './password.ts'
import { due, enrolled, finished, informed, REGISTRATION, trustGate } from './registration.ts'
import { recentFactor, secondFactor } from './second-factor.ts'

/** Asked only where it applies: elsewhere it is met. */
const where = (applies: (facts: Facts) => boolean, requirements: readonly Requirement[]): Requirement[] =>
  requirements.map((one) => ({ ...one, met: (facts) => !applies(facts) || one.met(facts) }))

const registration = [informed, trustGate, enrolled]

/** Also what a relying party asked to be registered: the factor is shown once for both. */
const registering = (facts: Facts): boolean =>
  lacking(facts) || (facts.visit.demands.includes('registration') && due(facts))

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
  // A session that was made without the factor its account has by now: another browser's, or a host's own sign-in; or one
  // that a relying party takes only with a factor, which the user then registers (RFC 9470).
  {
    prompt: 'second_factor',
    signsIn: true,
    ofSession: true,
    requirements: [secondFactor, ...where(registering, [passwordAgain, ...registration]), finished],
  },
  // Ends with the change itself: the session that asked for it is of an older epoch from then on.
  {
    prompt: 'change_password',
    signsIn: true,
    ofSession: true,
    requirements: [passwordAgain, recentFactor, trustGate, changedPassword],
  },
  {
    prompt: REGISTRATION,
    signsIn: true,
    ofSession: true,
    requirements: [...where(due, [passwordAgain, secondFactor]), ...registration, finished],
  },
]

export const journeyOf = (prompt: string): Journey | undefined => journeys.find((journey) => journey.prompt === prompt)
