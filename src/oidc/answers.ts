// What a code carries beyond the provider's own: how an action of ours ended, and the `acr` value that was asked for.
import { type AdapterFactory, type AdapterPayload, type KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { ActionStatus } from '../flows/finish.ts'
import { answered, type Wanted } from './asked.ts'
import { requestable } from './prompts.ts'

/** How one of our prompts ended, and for whom: somebody else who signs in later in the same request earned nothing. */
export interface Settled {
  status: ActionStatus
  accountId: string
}

/** The status of all that this request asked for; one that was put off counts. Undefined where nothing was asked, or somebody else settled a part. */
export function statusOf({ oidc }: KoaContextWithOIDC): ActionStatus | undefined {
  const asked = requestable.filter((prompt) => oidc.prompts.has(prompt))
  const settled = asked
    .map((prompt) => oidc.result?.[prompt] as Partial<Settled> | undefined)
    .filter((one) => one?.accountId !== undefined && one.accountId === oidc.session?.accountId)
  if (settled.length === 0 || settled.length < asked.length) return undefined
  return settled.some((one) => one?.status === 'skipped') ? 'skipped' : 'done'
}

type Carried = AdapterPayload & { actionStatus?: ActionStatus }

/** The status that the code of this request carried, for the ID token that is made from it; a refreshed one has none. */
const redeemed = new WeakMap<object, ActionStatus>()
export const redeemedStatus = (ctx: KoaContextWithOIDC): ActionStatus | undefined => redeemed.get(ctx)

const CODES: ReadonlySet<string> = new Set(['AuthorizationCode', 'DeviceCode'])

/** Around the adapter of codes: written with the code itself, so that no exchange can be faster. */
export const answersAdapter =
  (inner: AdapterFactory, wanted: (ctx: KoaContextWithOIDC) => Wanted): AdapterFactory =>
  (model) => {
    const rows = inner(model)
    if (!CODES.has(model)) return rows
    const found = (row: Carried | undefined): AdapterPayload | undefined => {
      const ctx = Provider.ctx
      if (row?.actionStatus && ctx) redeemed.set(ctx, row.actionStatus)
      return row
    }
    return {
      ...rows,
      async upsert(id, payload, expiresIn) {
        const ctx = Provider.ctx
        if (!ctx?.oidc.session || payload.accountId === undefined) return rows.upsert(id, payload, expiresIn)
        const status = statusOf(ctx)
        const acr = answered(payload.acr, wanted(ctx))
        const carried = { ...payload, ...(acr !== undefined && { acr }), ...(status && { actionStatus: status }) }
        return rows.upsert(id, carried, expiresIn)
      },
      find: async (id) => found((await rows.find(id)) as Carried | undefined),
    }
  }
