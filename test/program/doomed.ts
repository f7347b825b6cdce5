// What tests of killed processes share: a server that freezes where a test says, people who registered long ago, and lanes.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { opaqueId } from '../../src/domain/codes.ts'
import { vaultFor } from '../../src/domain/seal.ts'
import type { Credential } from '../../src/domain/types.ts'
import { realChance } from '../../src/server/chance.ts'
import type { Said } from './failpoint.ts'
import type { Program } from './program.ts'
import type { Site } from './site.ts'

const LANES = 6

/** Somebody who registered long ago: an address, an authenticator, ten recovery codes. */
export function registeredBefore(
  s: Site,
  id: string,
  { now, address = 'kept@example.org' }: { now: number; address?: string },
): { codes: string[]; secret: string; credentials: Credential[] } {
  const vault = vaultFor(s.keys, id)
  const letters = 'ABCDEFGHJKMNPQRSTVWXYZ23456789'
  const random = (length: number): string =>
    Array.from(randomBytes(length), (byte) => letters.charAt(byte % letters.length)).join('')
  const codes = Array.from({ length: 10 }, () => random(24))
  const secret = Array.from(randomBytes(32), (byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(byte % 32)).join('')
  const common = { label: '', addedAt: now - 86_400_000 }
  const totp = opaqueId(realChance)
  return {
    codes,
    secret,
    credentials: [
      { ...common, id: opaqueId(realChance), method: 'email', data: { address } },
      { ...common, id: totp, method: 'totp', data: { sealed: vault.seal(secret, `totp:${totp}`), lastStep: 0 } },
      {
        ...common,
        id: opaqueId(realChance),
        method: 'recovery-codes',
        data: { codes: codes.map((code) => ({ digest: vault.digest(code, 'recovery-codes') })) },
      },
    ],
  }
}

/** The process under test, and what it says. */
export interface Doomed {
  program: Program
  frozen: Set<string>
  waitFor(name: string): Promise<void>
  count(name: string): Promise<number>
}
export async function doomed(s: Site, now: number): Promise<Doomed> {
  const program = await s.serve({ watched: true, env: { CLOCK: String(now) } })
  const frozen = new Set<string>()
  const waiting = new Map<string, () => void>()
  program.child.on('message', (message) => {
    const said = message as Said
    if (!('frozen' in said)) return
    frozen.add(said.frozen)
    waiting.get(said.frozen)?.()
  })
  return {
    program,
    frozen,
    async waitFor(name) {
      if (frozen.has(name)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.set(name, resolve)
      const late = setTimeout(resolve, 5000)
      await promise
      clearTimeout(late)
    },
    async count(name) {
      program.child.send({ count: name })
      for (;;) {
        const [said] = (await once(program.child, 'message')) as [Said]
        if ('counted' in said && said.counted === name) return said.writes
      }
    },
  }
}

export async function inLanes<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values()
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      for (const item of left) await work(item)
    }),
  )
}
