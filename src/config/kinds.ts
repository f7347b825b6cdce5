// Kinds of values that options share: lists of names, dates, links, senders.
import * as z from 'zod'

export const names = () => z.array(z.string().min(1, 'must not be an empty text: write a name'))

/** `2027-01-31` (midnight UTC) or a full ISO 8601 time with its zone. */
export const date = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$/, {
    error: 'must be a date such as 2027-01-31 or 2027-01-31T09:00Z',
    abort: true,
  })
  .refine(
    (text) => !Number.isNaN(Date.parse(text)) && new Date(text.slice(0, 10)).getUTCDate() === Number(text.slice(8, 10)),
    'must be a date of the calendar, such as 2027-01-31',
  )
  .transform((text) => Date.parse(text))

export const link = z
  .string()
  .regex(/^(https?:\/\/\S+|(mailto:)?[^\s@:/]+@[^\s@/]+)$/, 'must be an http(s) link or a mail address')

export const sender = z
  .string()
  .regex(
    /^([^<>\p{Cc}]*<[^\s@<>,;]+@[^\s@<>,;]+>|[^\s@<>,;]+@[^\s@<>,;]+)$/u,
    'must be an address such as "Example sign-in <no-reply@example.org>"',
  )
