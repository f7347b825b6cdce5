// Durations as people write them ("24h"), read into milliseconds.
import * as z from 'zod'

const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,6})(s|m|h|d)$/.exec(text)
  return match ? Number(match[1]) * (units[match[2] ?? ''] ?? Number.NaN) : undefined
}

/** In the largest unit that divides it. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = units[unit] ?? 1
    if (milliseconds >= size && milliseconds % size === 0 && (unit !== 'd' || milliseconds > size)) {
      return `${milliseconds / size}${unit}`
    }
  }
  return `${milliseconds}ms`
}

/** A schema for a duration within a range; bounds in milliseconds, both included. */
export const duration = ({ min, max }: { min: number; max: number }) =>
  z
    .string('must be a duration such as 30m, 24h or 7d')
    .refine((text) => parseDuration(text) !== undefined, {
      error: 'must be a duration such as 30m, 24h or 7d',
      abort: true,
    })
    .refine((text) => (parseDuration(text) ?? min) >= min, `must be at least ${formatDuration(min)}: raise it`)
    .refine((text) => (parseDuration(text) ?? max) <= max, `must be at most ${formatDuration(max)}: lower it`)
    .transform((text) => parseDuration(text) ?? min)
