// Every flow on one page: the prompt it answers, and what it needs, in order. The first that is not met shows its page.
import type { Journey } from './flow.ts'
import { passwordAgain, signedIn } from './password.ts'
import { enrolled, finished, informed, trustGate } from './registration.ts'
import { secondFactor } from './second-factor.ts'

const registration = [informed, trustGate, enrolled, finished]

export const journeys: readonly Journey[] = [
  { prompt: 'login', requirements: [signedIn, secondFactor, ...registration] },
  // A session that was made without the factor its account has by now: another browser's, or a host's own sign-in.
  { prompt: 'second_factor', requirements: [secondFactor] },
  { prompt: 'security_info_registration', requirements: [passwordAgain, secondFactor, ...registration] },
]

export const journeyOf = (prompt: string): Journey | undefined => journeys.find((journey) => journey.prompt === prompt)
