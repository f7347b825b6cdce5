// Loaded before the program by `node --import`: freezes a request at a write to the store, as `kill -9` would find it there.
// The product has no hooks for this: the module that opens the store is wrapped on its way in.
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { registerHooks } from 'node:module'
import type { Store } from '../../src/domain/ports.ts'

/** One request that a test watches: the header `x-failpoint: NAME:AT` names it. */
interface Watched {
  name: string
  /** Before which write (0 is the first) it freezes; `answer`: after all of them, before the answer leaves. */
  at: number | 'answer'
  writes: number
  frozen: boolean
  response: ServerResponse
}

/** What the program under test says to the test. */
export type Said = { frozen: string } | { counted: string; writes: number } | { mail: string; at: string }

const say = (said: Said): void => void process.send?.(said)

// A clock that stands still, so that a code is as good at the end of a test as at its start.
const fixed = process.env['CLOCK']
if (fixed !== undefined) Date.now = () => Number(fixed)

const requests = new AsyncLocalStorage<Watched | undefined>()
const known = new Map<string, Watched>()

function freeze(watched: Watched): void {
  watched.frozen = true
  watched.response.destroy()
  say({ frozen: watched.name })
}

subscribe('http.server.request.start', (message) => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
  const header = String(request.headers['x-failpoint'] ?? '')
  const [name, at] = header.split(':')
  if (!name) return requests.enterWith(undefined)
  const watched: Watched = { name, at: at === 'answer' ? at : Number(at), writes: 0, frozen: false, response }
  known.set(name, watched)
  if (at === 'answer') {
    response.end = () => {
      freeze(watched)
      return response
    }
  }
  requests.enterWith(watched)
})

process.on('message', (message) => {
  const { count } = message as { count: string }
  say({ counted: count, writes: known.get(count)?.writes ?? 0 })
})
process.channel?.unref()

const writes = new Set(
  `accounts.insert accounts.replace flows.save flows.remove budgets.admit budgets.refund budgets.settle budgets.clear
   claims.claim claims.swap audit.append mails.put logouts.put rows.upsert rows.consume rows.destroy rows.revokeByGrantId
   rows.removeOlder`.split(/\s+/),
)

type Verb = (...input: unknown[]) => Promise<unknown>
const never = (): Promise<never> => new Promise(() => undefined)

function gated(name: string, verb: Verb): Verb {
  return (...input) => {
    const watched = requests.getStore()
    if (!watched) return verb(...input)
    if (watched.frozen) return never()
    if (writes.has(name)) {
      if (watched.writes === watched.at) {
        freeze(watched)
        return never()
      }
      watched.writes++
    }
    return verb(...input)
  }
}

/** The queue works for everybody, in no request. Of the first three mails each freezes at another moment of its way out. */
const moments = process.env['MAILS'] === 'freeze' ? ['leased', 'sent', 'removed'] : []
const moment = new Map<string, string>()
function ofQueue(name: string, verb: Verb): Verb {
  return async (...input) => {
    const id = String(input[0])
    if (name === 'remove' && moment.get(id) === 'sent') {
      say({ mail: id, at: 'sent' })
      return never()
    }
    const answer = await requests.exit(() => verb(...input))
    if (name === 'lease' && typeof answer === 'object' && answer !== null && 'id' in answer) {
      const next = moments.shift()
      if (next !== undefined) moment.set(String(answer.id), next)
      if (next === 'leased') {
        say({ mail: String(answer.id), at: next })
        return never()
      }
    }
    if (name === 'remove' && moment.get(id) === 'removed') {
      say({ mail: id, at: 'removed' })
      return never()
    }
    return answer
  }
}

/** The store with every verb watched. */
export function watched(store: Store): Store {
  const part = (name: string, verbs: object): object =>
    Object.fromEntries(
      Object.entries(verbs).map(([verb, run]) => {
        const queue = name === 'mails' && verb !== 'put'
        // Worked off for everybody, in no request.
        if (name === 'logouts' && verb !== 'put') return [verb, run]
        return [verb, queue ? ofQueue(verb, run as Verb) : gated(`${name}.${verb}`, run as Verb)]
      }),
    )
  return Object.fromEntries(
    Object.entries(store).map(([name, value]) => [name, typeof value === 'object' ? part(name, value) : value]),
  ) as unknown as Store
}

registerHooks({
  load(url, context, next) {
    if (!url.endsWith('/src/stores/open.ts')) return next(url, context)
    const source = `
      import { openStore as open } from ${JSON.stringify(`${url}?unwatched`)}
      import { watched } from ${JSON.stringify(import.meta.url)}
      export const openStore = async (...input) => watched(await open(...input))
    `
    return { format: 'module', source, shortCircuit: true }
  },
})
