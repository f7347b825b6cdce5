// Combined registration: why, the trust gate, one step per missing thing, the finished page. Only what is missing is asked.
import { changed } from '../domain/accounts.ts'
import { factors, graceLeft, missing, skip } from '../domain/policy.ts'
import { isProblem } from '../domain/problems.ts'
import type { Account, Evidence, Form } from '../domain/types.ts'
import type { Enrolled, Method, Proven } from '../methods/method.ts'
import { bind } from './bind.ts'
import { type Act, answer, begin, current, view } from './ceremony.ts'
import { outstanding, policyOf } from './demand.ts'
import type { Answer, Begun, Facts, Requirement, Tools } from './flow.ts'
import { event, evidenceOf } from './flow.ts'
import type { Page } from './pages.ts'
import { choices, proofEvidence, spendProof, tagOf } from './second-factor.ts'

/** The password proof must be younger than this when the wizard opens (NIST SP 800-63B-4 4.1.2.1, ASVS 7.5.1). */
const FRESH = 5 * 60_000

/** The prompt of registration alone. */
export const REGISTRATION = 'security_info_registration'

/** The host's own word (`registration.trustGate`). */
const PREDICATE = 'predicate'

const acknowledged = (facts: Facts, what: string): boolean =>
  facts.record.evidence.some((evidence) => evidence.kind === 'acknowledged' && evidence.method === what)

const acknowledge = (facts: Facts, what: string): Evidence => ({
  kind: 'acknowledged',
  method: what,
  amr: [],
  turn: facts.record.turn,
  at: facts.now,
})

/** Judged anew at every page and at the end, from the store and the policy of the moment (EN-4). */
export const due = (facts: Facts): boolean => !evidenceOf(facts.record, 'skipped') && outstanding(facts)

/** A password that stands alone changes only with the trust gate as well: a stolen one must not be enough. */
const alone = ({ record, account, methods }: Facts): boolean =>
  account !== undefined &&
  (record.journey === 'change_password' || account.password?.mustChange !== undefined) &&
  factors(methods, account).length === 0

/** Binding the first factor needs more than the password; an account that has one proved it before it came here. */
const gated = (facts: Facts): boolean =>
  (due(facts) || alone(facts)) &&
  facts.policy.registration.trustGate !== 'dangerouslyNone' &&
  !evidenceOf(facts.record, 'trust-gate') &&
  !evidenceOf(facts.record, 'proof')

/** The method of the trust gate, when it is one of ours. */
const gateMethod = (facts: Facts): Method | undefined =>
  facts.methods.find((method) => method.id === facts.policy.registration.trustGate)

/** What the trust gate registers by the way. */
const byTheWay = (facts: Facts): string[] => {
  const method = gated(facts) ? gateMethod(facts) : undefined
  return method ? [method.id] : []
}

const items = (facts: Facts) =>
  facts.account ? missing(facts.methods, policyOf(facts), facts.account, byTheWay(facts)) : []

/** The trust gate is the first step, because it registers the address that it proves; a predicate of the host has no page. */
function stepsOf(facts: Facts): { step: number; steps: number } {
  const done = facts.record.evidence.filter(
    ({ kind, method }) => kind === 'enrolment' || (kind === 'trust-gate' && method !== PREDICATE),
  )
  return { step: done.length + 1, steps: done.length + byTheWay(facts).length + items(facts).length }
}

/** "More information required": what will be asked and why; "not now" where policy leaves it. */
export const informed: Requirement = {
  name: 'registration',
  met: (facts) => !due(facts) || acknowledged(facts, 'registration'),

  page(facts): Page {
    const account = facts.account as Account
    const grace = graceLeft(policyOf(facts), account, facts.now)
    const gate = gated(facts) ? gateMethod(facts) : undefined
    return {
      name: 'registration',
      ...(gate && { trustGate: gate.id }),
      items: items(facts).map((item) => item.methods),
      ...(grace && { grace }),
    }
  },

  async answer(facts, form, tools): Promise<Answer> {
    const account = facts.account as Account
    if (form['action'] === 'skip') return skipped(facts, account, tools)
    const password = evidenceOf(facts.record, 'password')
    if (!password || facts.now - password.at > FRESH) return { restart: 'flow_expired' }
    facts.visit.beside(tools.audit.append([event(facts, tools, 'registration.started', { accountId: account.id })]))
    return { met: acknowledge(facts, 'registration'), account }
  },
}

async function skipped(facts: Facts, account: Account, tools: Tools): Promise<Answer> {
  const written = await tools.accounts.change(account, (fresh) => {
    const next = skip(policyOf(facts), fresh, facts.now)
    if (!next) return { problem: 'no_skips_left' }
    return changed(next, event(facts, tools, 'registration.skipped', { accountId: fresh.id }))
  })
  if (isProblem(written)) return written
  return { met: { ...acknowledge(facts, 'registration'), kind: 'skipped' }, account: written }
}

const proves = (result: Enrolled | Proven): result is Proven => 'change' in result

/** The address on file, or what the account registered of that method before: one code proves it, and registers it. */
function gateAct(facts: Facts): Act<Enrolled | Proven> | undefined {
  const method = gateMethod(facts)
  const account = facts.account as Account
  if (!method) return undefined
  const has = account.credentials.some((credential) => credential.method === method.id && !credential.disabled)
  return {
    requirement: 'trust-gate',
    purpose: 'trust-gate',
    account,
    methods: [method],
    ceremony: (one) => (has ? one.prove : one.enrol),
  }
}

export const trustGate: Requirement = {
  name: 'trust-gate',
  met: (facts) => !gated(facts),

  page(facts, tools): Page {
    const act = gateAct(facts)
    const method = act && current(act, facts)
    const model = act && method && view(act, method, facts, tools)
    if (!act || !method || !model) {
      const methods = act ? choices(act.methods, (facts.account as Account).credentials) : []
      return methods.length > 0
        ? { name: 'choose-method', purpose: 'trust-gate', methods }
        : { name: 'message', message: 'continue' }
    }
    const steps = due(facts) ? stepsOf(facts) : {}
    return { name: 'prove', method: method.id, purpose: 'trust-gate', ...steps, others: false, model }
  },

  async begin(facts, tools): Promise<Begun | { met: Evidence; account: Account }> {
    const account = facts.account as Account
    const act = gateAct(facts)
    if (!act) return asked(facts, account, tools)
    const begun = await begin(act, act.methods[0] as Method, facts, tools)
    return begun.problem?.problem === 'no_trusted_address' ? { over: 'no_trusted_address' } : begun
  },

  async answer(facts, form, tools): Promise<Answer> {
    const account = facts.account as Account
    const act = gateAct(facts)
    if (!act) return asked(facts, account, tools)
    const answered = await answer(act, form, facts, tools)
    if ('result' in answered) {
      const { method, result, counted } = answered
      const tag = tagOf(facts, form, tools)
      if (!proves(result)) return bind(facts, tools, { method, result, tag, gate: true })
      return spendProof(facts, tools, account, { method, result, counted, tag, kind: 'trust-gate' })
    }
    const problem = isProblem(answered) ? answered : answered.problem
    if (problem?.problem === 'no_trusted_address') return { over: 'no_trusted_address' }
    if (problem?.problem.startsWith('wrong_code')) {
      const failed = { accountId: account.id, outcome: 'failure' as const, reason: problem.problem }
      facts.visit.beside(tools.audit.append([event(facts, tools, 'trust-gate', failed)]))
    }
    return answered
  },
}

/** The host's own predicate decides. It is asked at each sign-in and never remembered. */
async function asked(facts: Facts, account: Account, tools: Tools) {
  const trusted = tools.trustGate !== undefined && (await tools.trustGate(account, facts.visit))
  if (!trusted) return { over: 'trust_gate_refused' as const }
  return { met: proofEvidence(facts, { id: PREDICATE, amr: [] }, 'trust-gate'), account }
}

function enrolAct(facts: Facts): Act<Enrolled> | undefined {
  const [first] = items(facts)
  if (!first) return undefined
  const methods = facts.methods.filter((method) => first.methods.includes(method.id))
  return {
    requirement: `enrol:${first.why}`,
    purpose: 'enrol',
    account: facts.account as Account,
    methods,
    ceremony: (one) => one.enrol,
  }
}

/** Everything that is missing, one step each, each tested before it counts. */
export const enrolled: Requirement = {
  name: 'enrol',
  met: (facts) => !due(facts) || items(facts).length === 0,

  page(facts, tools): Page {
    const act = enrolAct(facts) as Act<Enrolled>
    const method = current(act, facts)
    const model = method && view(act, method, facts, tools)
    if (!method || !model) {
      const methods = act.methods.map(({ id }) => ({ method: id }))
      return { name: 'choose-method', purpose: 'enrol', ...stepsOf(facts), methods }
    }
    return { name: 'enrol', method: method.id, ...stepsOf(facts), others: act.methods.length > 1, model }
  },

  async begin(facts, tools) {
    const act = enrolAct(facts)
    const [method] = act?.methods ?? []
    return act && method ? begin(act, method, facts, tools) : { over: 'no_usable_method' }
  },

  async answer(facts, form: Form, tools): Promise<Answer> {
    const act = enrolAct(facts) as Act<Enrolled>
    const answered = await answer(act, form, facts, tools)
    if (!('result' in answered)) return answered
    return bind(facts, tools, { ...answered, tag: tagOf(facts, form, tools), gate: false })
  },
}

/** The finished page: what is registered now. Who was sent here by a relying party sees it also when nothing was missing. */
export const finished: Requirement = {
  name: 'registered',
  met: (facts) => {
    const added = facts.record.evidence.some(({ kind }) => kind === 'enrolment' || kind === 'trust-gate')
    const sent = facts.record.journey === REGISTRATION && facts.visit.demands.includes('registration')
    return acknowledged(facts, 'registered') || evidenceOf(facts.record, 'skipped') !== undefined || !(added || sent)
  },

  page(facts): Page {
    const account = facts.account as Account
    const added = new Set(facts.record.evidence.map(({ credential }) => credential))
    const credentials = facts.methods.flatMap((method) =>
      account.credentials
        .filter((credential) => credential.method === method.id)
        .map((one) => ({ method: method.id, hint: method.describe(one), added: added.has(one.id) })),
    )
    return { name: 'registered', credentials }
  },

  answer: async (facts) => ({ met: acknowledge(facts, 'registered'), account: facts.account as Account }),
}
