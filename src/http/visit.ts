// Who comes, from where and for what: the visit behind a request to a page of a flow.
import type { Context } from 'koa'
import type { Provider } from 'oidc-provider'
import type { Policy } from '../domain/policy.ts'
import type { Tools, Visit } from '../flows/flow.ts'
import { journeyOf } from '../flows/journeys.ts'
import { stored } from '../flows/record.ts'
import { demandsOf } from '../oidc/asked.ts'
import { type Interaction, loginAt, read } from '../oidc/interaction.ts'
import { sourceAddress } from './guard.ts'
import { type Dress, languageOf, seeOther, showProblem } from './respond.ts'

export interface Visiting {
  provider: Provider
  tools: Tools
  dress: Dress
  /** Proxies whose word on the source address is taken. */
  hops: number
  policy(): Policy
}

/** The interaction of this browser at this address; answers the request itself when there is none to work with. */
async function found(ctx: Context, { provider, dress }: Visiting, cid: string): Promise<Interaction | undefined> {
  const here = await read(provider, ctx, cid)
  if ('problem' in here) showProblem(ctx, dress, here.problem)
  else if ('anew' in here) seeOther(ctx, here.anew)
  else if (answered(here.interaction)) seeOther(ctx, here.interaction.returnTo)
  // A dead session was taken off it: only the provider can tell which prompt comes now.
  else if (journeyOf(here.interaction.prompt.name)?.ofSession !== false && !here.interaction.session)
    seeOther(ctx, here.interaction.returnTo)
  else return here.interaction
  return undefined
}

/** A double click, or a reload after the last step: the answer is there and waits to be picked up. */
const answered = ({ result }: Interaction): boolean => result !== undefined && Object.keys(result).length > 0

/** `settled`: what was left beside it has ended. */
export type OpenVisit = Visit & { settled(): Promise<unknown> }

/** Undefined when the request is answered already. */
export async function visitAt(ctx: Context, visiting: Visiting, cid: string) {
  // Side by side: whether this browser may use what the flow says is found out meanwhile.
  const flow = stored(cid, visiting.tools)
  const interaction = await found(ctx, visiting, cid)
  return interaction && { interaction, visit: await visitOf(ctx, visiting, { interaction, flow }) }
}

type Behind = { interaction: Interaction; flow: Visit['flow'] }

async function visitOf(ctx: Context, visiting: Visiting, { interaction, flow }: Behind): Promise<OpenVisit> {
  const { provider, dress, hops, policy } = visiting
  const { params, prompt, session } = interaction
  const clientId = typeof params['client_id'] === 'string' ? params['client_id'] : ''
  const client = await provider.Client.find(clientId)
  const hint = params['login_hint']
  const beside: Promise<unknown>[] = []
  const since = session && prompt.name !== 'login' ? await loginAt(provider, interaction) : undefined
  return {
    interaction: interaction.cid,
    flow,
    journey: prompt.name,
    client: { id: clientId, name: client?.clientName ?? clientId },
    ...(session && { session: { accountId: session.accountId, amr: session.amr ?? [], loginAt: since } }),
    demands: demandsOf(params, prompt.name, interaction.lastSubmission, policy()),
    ...(typeof hint === 'string' && { loginHint: hint.slice(0, 256) }),
    language: languageOf(ctx, dress, locales(interaction)),
    address: sourceAddress(ctx.req, hops),
    userAgent: ctx.get('user-agent'),
    knownBrowser: (account) => dress.jar.knownBrowser(ctx, account),
    beside(work) {
      // Whoever waits for it below hears of its failure; until then it is nobody's.
      work.catch(() => undefined)
      beside.push(work)
    },
    settled: () => Promise.all(beside),
  }
}

export const locales = ({ params }: Interaction): string | undefined => {
  const wish = params['ui_locales']
  return typeof wish === 'string' ? wish : undefined
}
