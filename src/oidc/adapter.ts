// The provider's adapter over our store: ids digested, payloads sealed, consuming conditional, expiry judged here.
import { createHash } from 'node:crypto'
import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider'
import type { Chance, ProviderRow, ProviderRows } from '../domain/ports.ts'
import { digest as keyedDigest, type KeyRing, open, seal } from '../domain/seal.ts'

/** Ids have 128 random bits and more: a bare hash is enough, and a stolen dump holds no usable cookie or token (SC-1). */
const digest = (value: string): string => createHash('sha256').update(value).digest('base64url')

/** A second redemption of something that may be used once. A plain error would surface as a 500. */
const used = (model: string): Error =>
  model === 'PushedAuthorizationRequest'
    ? new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used')
    : new errors.InvalidGrant(`${model} was already consumed`)

const context = (model: string, at: string): string[] => ['provider', model, at]

/** What the provider saved, expired or not. `at` lets a row that was found by another key be opened under its own name. */
export function payloadOf(model: string, row: ProviderRow, keys: KeyRing, id?: string): AdapterPayload {
  const { sealed, at } = row.payload as { sealed: string; at: string }
  return JSON.parse(open(keys, sealed, context(model, id ?? at))) as AdapterPayload
}

export function storeAdapter(
  rows: ProviderRows,
  keys: { seal: KeyRing; digest: KeyRing },
  chance: Chance,
): AdapterFactory {
  /** A user code is short enough to be typed, so short that a bare hash of it could be tried out. */
  const typed = (userCode: string): string => keyedDigest(keys.digest, userCode, ['provider', 'userCode'])
  return (model) => {
    const read = (id: string | undefined, row: ProviderRow | undefined): AdapterPayload | undefined => {
      if (!row || (row.expiresAt !== undefined && row.expiresAt <= chance.now())) return undefined
      const { consumed } = row.payload as { consumed?: number }
      return {
        ...payloadOf(model, row, keys.seal, id),
        ...(consumed !== undefined && { consumed }),
        ...(row.stamp !== undefined && { epoch: row.stamp }),
      }
    }

    return {
      async upsert(id, payload, expiresIn) {
        const { epoch, ...rest } = payload as AdapterPayload & { epoch?: number }
        const at = digest(id)
        // Not an interaction's: it outlives its session, to begin anew, or to go on after the change that it made.
        const { accountId } = rest
        const consumed = rest.consumed
        await rows.upsert(
          model,
          at,
          {
            payload: {
              sealed: seal(keys.seal, JSON.stringify(rest), context(model, at)),
              at,
              ...(consumed !== undefined && { consumed }),
            },
            ...(accountId !== undefined && { accountId }),
            // An open interaction is no token: revoking a grant leaves it alone.
            ...(rest.grantId !== undefined && model !== 'Interaction' && { grantId: rest.grantId }),
            ...(rest.uid !== undefined && { uid: digest(rest.uid) }),
            ...(rest.userCode !== undefined && { userCode: typed(rest.userCode) }),
            ...(epoch !== undefined && { stamp: epoch }),
          },
          expiresIn === undefined ? undefined : chance.now() + expiresIn * 1000,
        )
      },
      find: async (id) => read(digest(id), await rows.find(model, digest(id))),
      findByUid: async (uid) => read(undefined, await rows.findBy(model, 'uid', digest(uid))),
      findByUserCode: async (code) => read(undefined, await rows.findBy(model, 'userCode', typed(code))),
      async consume(id) {
        if (!(await rows.consume(model, digest(id), Math.floor(chance.now() / 1000)))) throw used(model)
      },
      destroy: (id) => rows.destroy(model, digest(id)),
      revokeByGrantId: (grantId) => rows.revokeByGrantId(grantId),
    } satisfies Adapter
  }
}
