// The options of calls that this server makes because a client's metadata names an address.
import * as z from 'zod'
import { networkOf } from '../domain/networks.ts'

/** `10.0.0.0/8`, `fd00::/8`, or one address. */
const network = z
  .string()
  .refine((text) => networkOf(text) !== undefined, 'must be a network such as 10.0.0.0/8 or fd00::/8, or one address')

export const outgoing = z
  .strictObject({
    networks: z
      .array(network)
      .default([])
      .describe(
        'Networks that may be called although they are not public, such as 10.0.0.0/8; 127.0.0.0/8 is this machine.',
      ),
  })
  .prefault({})
  .describe(
    "Calls to addresses that clients' metadata names (backchannel_logout_uri, jwks_uri, ...): public ones only, redirects are not followed.",
  )
