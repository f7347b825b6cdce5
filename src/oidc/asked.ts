// What an authorization request asks of the authentication: `acr_values`, essential `acr`, and what policy asks for its client.
import { errors } from 'oidc-provider'
import { clientPolicy, type Policy } from '../domain/policy.ts'
import type { Demand } from '../flows/flow.ts'
import { acr } from '../flows/finish.ts'
import { REGISTRATION } from '../flows/registration.ts'

/** Levels of ours, the least first. Who reached one has reached those before it. */
const LEVELS: readonly string[] = [acr.password, acr.multiFactor]

/** Values of which one has to be reached. */
type Choice = readonly string[]

/** Parameters of an authorization request. */
type Params = Readonly<Record<string, unknown>>

export interface Wanted {
  /** The level of ours that has to be reached. */
  level?: string
  /** None of these values is ours: `acr_values` and essential claims that nothing here can meet. */
  foreign: readonly Choice[]
  /** Essential `acr` (OpenID Connect Core 5.5.1.1): the token has to carry one of these very values. */
  essential?: Choice
}

const bad = (what: string): Error => new errors.InvalidRequest(`invalid claims.id_token.acr.${what}`)

/** @throws InvalidRequest where the claims parameter holds what no `acr` can be. */
function essentialAcr(claims: unknown): Choice | undefined {
  if (typeof claims !== 'string') return undefined
  const { id_token: idToken } = JSON.parse(claims) as { id_token?: { acr?: Record<string, unknown> | null } | null }
  const { essential, value, values } = idToken?.acr ?? {}
  if (value !== undefined && typeof value !== 'string') throw bad('value type')
  if (values !== undefined && !(Array.isArray(values) && values.every((one) => typeof one === 'string')))
    throw bad('values type')
  if (essential !== true) return undefined
  const all = [...(value === undefined ? [] : [value]), ...(values ?? [])]
  return all.length > 0 ? all : undefined
}

const rank = (value: string | undefined): number => (value === undefined ? -1 : LEVELS.indexOf(value))

/** Whether a session of that `acr` meets the level. */
export const reaches = (have: string | undefined, level: string | undefined): boolean =>
  level === undefined || rank(have) >= rank(level)

/** The level that policy asks for whoever comes to this client. */
export const levelOf = (policy: Policy, clientId: string): string | undefined =>
  clientPolicy(policy, clientId).mfa === 'required' ? acr.multiFactor : undefined

/**
 * Everything asked has to be met: a value in `acr_values` is as binding as an essential one (RFC 9470 section 5), and
 * neither can take the other back. Read from the parameters, because the provider lets the first replace the second.
 */
export function wantedOf(params: Params, policy: Policy): Wanted {
  const { acr_values: listed, client_id: id } = params
  const clientNeeds = levelOf(policy, typeof id === 'string' ? id : '')
  const values = typeof listed === 'string' ? listed.split(' ').filter(Boolean) : []
  const essential = essentialAcr(params['claims'])
  const choices: Choice[] = [...(values.length > 0 ? [values] : []), ...(essential ? [essential] : [])]
  const ours = choices.map((choice) => choice.filter((value) => LEVELS.includes(value)))
  const least = new Set([clientNeeds, ...ours.map((own) => LEVELS.find((level) => own.includes(level)))])
  const level = LEVELS.findLast((one) => least.has(one))
  return {
    ...(level !== undefined && { level }),
    foreign: choices.filter((_, index) => ours[index]?.length === 0),
    ...(essential && { essential }),
  }
}

/** The value to answer: what was reached, or the strongest value asked for that it covers. */
export function answered(have: string | undefined, { essential }: Wanted): string | undefined {
  if (have === undefined || !essential || essential.includes(have)) return have
  return LEVELS.findLast((level) => essential.includes(level) && reaches(have, level)) ?? have
}

/** What the flow behind a prompt has to bring about beyond policy; what an earlier flow of the request settled is not asked again. */
export function demandsOf(params: Params, prompt: string, settled: object | undefined, policy: Policy): Demand[] {
  if (!['login', 'second_factor', REGISTRATION].includes(prompt)) return []
  const { prompt: prompts } = params
  const asked = typeof prompts === 'string' ? prompts.split(' ') : []
  const registration = asked.includes(REGISTRATION) && !(settled && Object.hasOwn(settled, REGISTRATION))
  return [
    ...(wantedOf(params, policy).level === acr.multiFactor ? (['mfa'] as const) : []),
    ...(registration ? (['registration'] as const) : []),
  ]
}
