// Sessions, grants and tokens die with the account's epoch: a wrapper around any adapter, the host's own included.
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'
import type { Scope } from './scope.ts'

type Payload = AdapterPayload & { epoch?: number; session?: { accountId?: string } }
interface Login {
  accountId?: string
  epoch?: number
}
type Answers = Record<string, unknown> & { login?: Login }
/** The parts of an interaction that rest on an account. */
interface InteractionRow {
  epoch?: number | undefined
  session?: { accountId?: string } | undefined
  grantId?: string | undefined
  result?: Answers | undefined
  lastSubmission?: Answers | undefined
}

/** Answers that hold for one account only. */
export const OF_ACCOUNT = [
  'login',
  'consent',
  'second_factor',
  'change_password',
  'security_info_registration',
] as const

export const without = <Some extends object>(answers: Some | undefined, keys: readonly string[]): Some | undefined =>
  answers && (Object.fromEntries(Object.entries(answers).filter(([key]) => !keys.includes(key))) as Some)

/**
 * A row older than its account's epoch is not there. A row that is written carries the epoch this request *saw*, never
 * the current one: a request in flight while the password changes must not raise the dead (shown by an exhaustive race).
 */
export const epochAdapter =
  (inner: AdapterFactory, scope: Scope): AdapterFactory =>
  (model) => {
    const rows = inner(model)
    const stamped = model !== 'Interaction'

    const dead = async (accountId: string | undefined, epoch: number | undefined): Promise<boolean> => {
      if (accountId === undefined) return false
      const account = await scope.account(accountId)
      if (!account || epoch === undefined || epoch < account.epoch) return true
      scope.pin(accountId, epoch)
      return false
    }

    /** An answer given before the change is no answer; a dead session is no session. */
    async function interaction(row: InteractionRow): Promise<AdapterPayload> {
      const { epoch, ...next } = row
      for (const key of ['result', 'lastSubmission'] as const) {
        const login = next[key]?.login
        if (login && (await dead(login.accountId, login.epoch))) next[key] = without(next[key], OF_ACCOUNT)
      }
      if (next.session && (await dead(next.session.accountId, epoch))) {
        delete next.session
        delete next.grantId
        if (!next.result?.login) next.result = without(next.result, ['consent'])
        next.lastSubmission = without(next.lastSubmission, ['consent'])
      }
      return next as AdapterPayload
    }

    async function alive(found: unknown): Promise<AdapterPayload | undefined> {
      const row = found as Payload | undefined
      if (!row) return undefined
      if (!stamped) return interaction(row as InteractionRow)
      if (row.accountId === undefined) return row
      const { epoch, ...payload } = row
      return (await dead(row.accountId, epoch)) ? undefined : payload
    }

    /** What this request saw of the account; first seen now: the current epoch. */
    async function seen(accountId: string): Promise<number> {
      const pinned = scope.pinned(accountId)
      if (pinned !== undefined) return pinned
      const epoch = (await scope.account(accountId))?.epoch ?? 0
      scope.pin(accountId, epoch)
      return epoch
    }

    return {
      async upsert(id, payload, expiresIn) {
        const row = payload as Payload
        const login = stamped ? undefined : (row as { result?: Answers }).result?.login
        const accountId = stamped ? row.accountId : row.session?.accountId
        if (login?.accountId !== undefined) {
          // A host's own sign-in page knows no epochs: its answer counts from what this request saw.
          login.epoch ??= await seen(login.accountId)
          scope.pin(login.accountId, login.epoch)
        }
        if (accountId === undefined) return rows.upsert(id, payload, expiresIn)
        return rows.upsert(id, { ...payload, epoch: await seen(accountId) }, expiresIn)
      },
      find: async (id) => alive(await rows.find(id)),
      findByUid: async (uid) => alive(await rows.findByUid(uid)),
      findByUserCode: async (code) => alive(await rows.findByUserCode(code)),
      consume: (id) => rows.consume(id),
      destroy: (id) => rows.destroy(id),
      revokeByGrantId: (grantId) => rows.revokeByGrantId(grantId),
    } satisfies Adapter
  }
