// A store, and a host's own adapter, that tell of each call before it is made: where an attack or a fault strikes.
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'
import type { Store } from '../../src/domain/ports.ts'

/** Told of `part.verb`; what it throws, the caller of the store meets. */
export type Hook = (call: string) => Promise<void>

type Verbs = Record<string, (...input: unknown[]) => Promise<unknown>>

/** `after`: calls that are told of a second time, once they are answered. */
export function hooked(store: Store, hook: Hook, after: readonly string[] = []): Store {
  const part = (name: string, verbs: object): unknown =>
    Object.fromEntries(
      Object.entries(verbs as Verbs).map(([verb, call]) => [
        verb,
        async (...input: unknown[]) => {
          await hook(`${name}.${verb}`)
          const answer = await call(...input)
          if (after.includes(`${name}.${verb}`)) await hook(`after ${name}.${verb}`)
          return answer
        },
      ]),
    )
  const parts = ['accounts', 'flows', 'budgets', 'claims', 'audit', 'mails', 'logouts', 'rows'] as const
  return { ...store, ...Object.fromEntries(parts.map((name) => [name, part(name, store[name])])) }
}

/** What a host may bring: plain rows in a map, nothing conditional, no idea of epochs. */
export function plainAdapter(hook: Hook): AdapterFactory {
  const rows = new Map<string, string>()
  const all = (model: string): AdapterPayload[] =>
    [...rows].filter(([key]) => key.startsWith(`${model}:`)).map(([, row]) => JSON.parse(row) as AdapterPayload)
  return (model) => {
    const get = (id: string): AdapterPayload | undefined => {
      const row = rows.get(`${model}:${id}`)
      return row === undefined ? undefined : (JSON.parse(row) as AdapterPayload)
    }
    return {
      async upsert(id, payload) {
        await hook(`upsert ${model}`)
        rows.set(`${model}:${id}`, JSON.stringify(payload))
      },
      async find(id) {
        await hook(`find ${model}`)
        return get(id)
      },
      async findByUid(uid) {
        await hook(`findByUid ${model}`)
        return all(model).find((row) => row.uid === uid)
      },
      async findByUserCode(code) {
        await hook(`findByUserCode ${model}`)
        return all(model).find((row) => row.userCode === code)
      },
      async consume(id) {
        await hook(`consume ${model}`)
        rows.set(`${model}:${id}`, JSON.stringify({ ...get(id), consumed: Math.floor(Date.now() / 1000) }))
      },
      async destroy(id) {
        await hook(`destroy ${model}`)
        rows.delete(`${model}:${id}`)
      },
      async revokeByGrantId(grantId) {
        await hook(`revoke ${model}`)
        for (const [key, row] of rows) {
          if (key.startsWith(`${model}:`) && (JSON.parse(row) as AdapterPayload).grantId === grantId) rows.delete(key)
        }
      },
    } satisfies Adapter
  }
}
