// Times, dates and lists in the reader's words.
import type { Time } from '../domain/types.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const units = [
  { unit: 'second', length: SECOND, upTo: MINUTE - 1 },
  { unit: 'minute', length: MINUTE, upTo: HOUR },
  { unit: 'hour', length: HOUR, upTo: DAY },
  { unit: 'day', length: DAY, upTo: Number.POSITIVE_INFINITY },
] as const

/** Plain English dates, "22 November 2026": the day first leaves no doubt which number is the month. */
const dated = (language: string): string => (language === 'en' ? 'en-GB' : language)

/** "40 seconds", "2 minutes", "3 days": rounded up, so that who waits that long does not come too early. */
export function duration(language: string, milliseconds: number): string {
  const left = Math.max(SECOND, milliseconds)
  const { unit, length } = units.find(({ upTo }) => left <= upTo) ?? units[0]
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(Math.ceil(left / length))
}

/** A date as a method gives it (ISO 8601) in the reader's words; anything else as it is. */
export function day(language: string, date: string): string {
  if (!/^\d{4}-\d\d-\d\d/.test(date) || Number.isNaN(Date.parse(date))) return date
  return new Intl.DateTimeFormat(dated(language), { dateStyle: 'long', timeZone: 'UTC' }).format(new Date(date))
}

/** Mails are read anywhere, so the zone is named. */
export const moment = (language: string, at: Time): string =>
  `${new Intl.DateTimeFormat(dated(language), { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' }).format(new Date(at))} UTC`

export const either = (language: string, names: readonly string[]): string =>
  new Intl.ListFormat(language, { type: 'disjunction' }).format(names)

export const all = (language: string, names: readonly string[]): string =>
  new Intl.ListFormat(language, { type: 'conjunction' }).format(names)
