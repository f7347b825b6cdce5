// What one request knows of accounts: one read each, shared by every check, and the oldest epoch that it saw.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Account } from '../domain/types.ts'

interface Request {
  accounts: Map<string, Promise<Account | undefined>>
  pins: Map<string, number>
}

export interface Scope {
  /** Opens the scope of a request. The first middleware. */
  run<Result>(work: () => Promise<Result>): Promise<Result>
  /** The account as this request sees it. */
  found(id: string): Promise<Account | undefined>
  /** Undefined when it is gone or disabled. */
  account(id: string): Promise<Account | undefined>
  /** A change of ours in this request: read anew. */
  forget(id: string): void
  /** This request relies on something made under that epoch. The oldest one counts. */
  pin(id: string, epoch: number): void
  pinned(id: string): number | undefined
}

export function requestScope(find: (id: string) => Promise<Account | undefined>): Scope {
  const storage = new AsyncLocalStorage<Request>()
  function found(id: string): Promise<Account | undefined> {
    const request = storage.getStore()
    const read = request?.accounts.get(id) ?? find(id)
    request?.accounts.set(id, read)
    return read
  }
  return {
    run: (work) => storage.run({ accounts: new Map(), pins: new Map() }, work),
    found,
    async account(id) {
      const account = await found(id)
      return account?.disabled ? undefined : account
    },
    forget: (id) => void storage.getStore()?.accounts.delete(id),
    pin(id, epoch) {
      const pins = storage.getStore()?.pins
      pins?.set(id, Math.min(epoch, pins.get(id) ?? epoch))
    },
    pinned: (id) => storage.getStore()?.pins.get(id),
  }
}
