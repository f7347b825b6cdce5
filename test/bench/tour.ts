// Our provider in this process, and every page of it once: a registration, a sign-in, one in a browser that is known, a change, a reset.
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Chance, Store } from '../../src/domain/ports.ts'
import { connections, visitor, type Visitor } from './client.ts'
import { addPeople } from './people.ts'
import { ourSite } from './site.ts'
import { type Around, change, register, reset, signIn } from './walks.ts'

const MAIL = { looks: 500, every: 10 }

export interface TourOptions {
  /** Where people are written to. */
  store: Store
  /** What the provider works with: the same data, perhaps watched. */
  seen?: Store
  root: string
  around: (walk: string, visit: Visitor) => Around
}

export async function tour({ store, seen = store, root, around }: TourOptions): Promise<void> {
  let ahead = 0
  const chance: Chance = { now: () => Date.now() + ahead, random: (bytes) => randomBytes(bytes) }
  const site = await ourSite({ store: seen, roots: [Buffer.from(root, 'base64')], chance, cost: 4 })
  const agent = connections(1)
  const browser = (): Visitor => visitor({ issuer: site.issuer, agent, address: '192.0.2.1' })

  async function mailedCode(to?: string): Promise<string> {
    for (let look = 0; look < MAIL.looks; look++) {
      const mails = site.outbox.mails().filter((mail) => to === undefined || mail.to === to)
      const code = /\b(\d{4}\s?\d{4})\b/.exec(mails.at(-1)?.text ?? '')?.[1]
      if (code) return code.replace(/\s/g, '')
      await pause(MAIL.every)
    }
    throw new Error('no mail came')
  }

  try {
    const to = { store, keys: site.keys, chance, cost: 4 }
    const [newcomer] = await addPeople(to, 1, { newcomers: true })
    const [person] = await addPeople(to, 1)
    if (!newcomer || !person) throw new Error('nobody is there')
    const first = browser()
    await register(first, newcomer, { mailedCode: () => mailedCode(), now: chance.now }, around('registration', first))
    const second = browser()
    await signIn(second, person, around('sign-in', second), chance.now)
    // The next code, and the same browser.
    ahead += 30_000
    second.signedOut()
    await signIn(second, person, around('known browser', second), chance.now)
    await change(second, around('change', second))
    ahead += 30_000
    const third = browser()
    const code = (): Promise<string> => mailedCode(`${person.username}@example.org`)
    await reset(third, person, { method: 'email', code }, around('reset', third), chance.now)
  } finally {
    agent.destroy()
    await site.close()
  }
}
