// What the shop remembers of each browser: in memory, behind an id in a cookie, the oldest forgotten first.
import { randomBytes } from 'node:crypto'
import type Koa from 'koa'
import type { Pending, User } from './provider.ts'
import type { Receipt } from './resource-server.ts'

/** Told once, on the next page. */
export interface Notice {
  /** What became of it, for machines. */
  outcome: string
  text: string
  receipt?: Receipt
}

export interface Visit {
  /** The authorization request that is under way. */
  pending?: Pending
  user?: User
  notice?: Notice
}

const COOKIE = 'rp_session'
const MOST = 1000

export interface Visits {
  of(ctx: Koa.Context): Visit
  /** A new id for a new state of affairs: nobody can have planted it (session fixation). */
  renew(ctx: Koa.Context, visit: Visit): Visit
  /**
   * Signs out, with a word of why, each browser whose user is meant. Answers how many. A request that is under way stays: a
   * password that was just changed ends the old session while its browser is on the way back with a new one.
   */
  end(meant: (user: User) => boolean, notice: Notice): number
}

export function createVisits(): Visits {
  const visits = new Map<string, Visit>()

  function renew(ctx: Koa.Context, visit: Visit): Visit {
    visits.delete(ctx.cookies.get(COOKIE) ?? '')
    const id = randomBytes(24).toString('base64url')
    visits.set(id, visit)
    const [oldest] = visits.keys()
    if (visits.size > MOST && oldest !== undefined) visits.delete(oldest)
    // Lax: the provider's answer comes as a link from another site, and has to find its request. With https add `secure`.
    ctx.cookies.set(COOKIE, id, { httpOnly: true, sameSite: 'lax', overwrite: true })
    return visit
  }

  return {
    renew,
    of: (ctx) => visits.get(ctx.cookies.get(COOKIE) ?? '') ?? renew(ctx, {}),
    end(meant, notice) {
      const ended = [...visits].filter(([, { user }]) => user !== undefined && meant(user))
      for (const [id, { pending }] of ended) visits.set(id, { notice, ...(pending && { pending }) })
      return ended.length
    },
  }
}
