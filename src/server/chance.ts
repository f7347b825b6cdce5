// The real clock and the real generator, for programs.
import { randomBytes } from 'node:crypto'
import type { Chance } from '../domain/ports.ts'

export const realChance: Chance = { now: () => Date.now(), random: (bytes) => randomBytes(bytes) }
