// How long sessions and signed tokens live.
import * as z from 'zod'
import { duration } from './duration.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export const tokens = z
  .strictObject({
    signedFor: duration({ min: MINUTE, max: HOUR })
      .prefault('5m')
      .describe(
        'How long a signed access token (JWT) lives at most. It cannot be taken back: after a reset it is good until then.',
      ),
  })
  .prefault({})
  .describe('Access tokens. The usual ones, which are not signed, end at once with everything else.')

export const session = z
  .strictObject({
    absolute: duration({ min: 5 * MINUTE, max: 30 * DAY })
      .prefault('24h')
      .describe('How long a sign-in lasts in all. NIST SP 800-63B-4 2.2.3: no more than 24 h.'),
    idle: duration({ min: MINUTE, max: 30 * DAY })
      .prefault('1h')
      .describe('How long it lasts unused. NIST SP 800-63B-4 2.2.3: no more than 1 h.'),
  })
  .prefault({})
  .describe('Sessions at this provider. Durations are a number and s, m, h or d.')
