// The schema of the configuration file: every option, its default, range and sentence of documentation, once.
import * as z from 'zod'
import { date, link, names, sender } from './config/kinds.ts'
import { session, tokens } from './config/lifetimes.ts'
import { outgoing } from './config/outgoing.ts'
import type { MethodTraits } from './domain/policy.ts'
import type { Purpose } from './domain/types.ts'

/** Method ids come from the methods themselves, so that an id is an allowed value once the method exists. */
const methodsFor = (methods: readonly MethodTraits[], purpose: Purpose) => {
  const ids = methods.filter((method) => method.serves.includes(purpose)).map((method) => method.id)
  return z.array(z.enum(ids)).default(ids)
}

const scope = () => z.enum(['none', 'selected', 'all']).default('all')

/** The part of `password` that is policy; the cost of a hash is the server's. */
const newPasswordOptions = {
  banned: names()
    .max(1000, 'must hold at most 1000 words: remove some')
    .default([])
    .describe(
      'Words that a new password must not be, nor be close to: names of products, places, teams. At most 1000.',
    ),
  breached: z
    .string()
    .exactOptional()
    .describe(
      'A service that knows passwords from breaches, by ranges; five characters of a hash leave, nothing else. Without it, or when it does not answer, the list that ships is all that is asked.',
    ),
}

/** What an administrator may change while the server runs. */
const policyOptions = (methods: readonly MethodTraits[]) => ({
  registration: z
    .strictObject({
      required: z
        .boolean()
        .default(true)
        .describe('The switch: users in scope must register their security info when they sign in.'),
      scope: scope().describe('Who is in scope; `selected` means the groups below. Administrators always are.'),
      groups: names().default([]).describe('The groups that `selected` means.'),
      trustGate: z
        .enum(['email', 'dangerouslyNone'])
        .default('email')
        .describe(
          'What a user without a second factor shows beside the password before the first one is bound: a code mailed to the address on file, or nothing (dangerous: a stolen password is then enough to take the account over).',
        ),
      grace: z
        .strictObject({
          until: date
            .exactOptional()
            .describe('Until this moment users may say "not now". A date alone means midnight UTC at its start.'),
          skips: z.int().min(0).max(100).default(0).describe('How many times a user may say "not now".'),
          snoozeDays: z
            .int()
            .min(0)
            .max(14)
            .default(0)
            .describe('For how many days one "not now" keeps sign-in silent.'),
        })
        .prefault({})
        .describe('How long a user may put registration off; by default not at all.'),
    })
    .prefault({})
    .describe('Registration of security info at sign-in.'),
  mfa: z
    .strictObject({
      required: z
        .boolean()
        .default(true)
        .describe(
          'Registration includes a second factor. An account that has one is always asked for it, whatever this says.',
        ),
      methods: methodsFor(methods, 'second-factor').describe('Methods that are accepted as the second factor.'),
    })
    .prefault({})
    .describe('Multi-factor authentication.'),
  reset: z
    .strictObject({
      scope: scope().describe('Who may reset a forgotten password; `selected` means the groups below.'),
      groups: names().default([]).describe('The groups that `selected` means.'),
      gates: z
        .int()
        .min(1)
        .max(2)
        .default(2)
        .describe('How many independent proofs a reset asks for, and so must be registered. Administrators: always 2.'),
      methods: methodsFor(methods, 'recovery').describe('Methods that a reset may ask for.'),
      unlock: z
        .boolean()
        .default(true)
        .describe('Offers "I know my password, I am locked out": the same proofs, and only the wait ends.'),
    })
    .prefault({})
    .describe('Self-service password reset: what it will ask for is what registration collects.'),
  password: z
    .strictObject(newPasswordOptions)
    .prefault({})
    .describe('New passwords. They are always compared with the common ones and with names.'),
  notify: z
    .strictObject({
      user: z
        .boolean()
        .default(true)
        .describe("A notice to all of a user's addresses when the password or security info changed."),
      admins: z
        .boolean()
        .default(true)
        .describe("A notice to all other administrators when an administrator's password was reset."),
    })
    .prefault({})
    .describe('Who is told of changes, by mail.'),
  admins: z
    .strictObject({
      groups: names().default([]).describe('Members always register, without grace, and need two proofs for a reset.'),
    })
    .prefault({})
    .describe('Who administrators are.'),
  tokens,
  helpdesk: link.exactOptional().describe('A link or mail address shown where only the help desk can help.'),
})

export const policySchema = (methods: readonly MethodTraits[]) => z.strictObject(policyOptions(methods))

/** The whole file: the server's own options, then policy. */
export const configSchema = (methods: readonly MethodTraits[]) =>
  z.strictObject({
    issuer: z
      .string()
      .describe(
        'The address of this OpenID provider. Links in mails are built from it, never from a request. https, except on localhost.',
      ),
    listen: z
      .strictObject({
        host: z.string().min(1, 'must not be empty').default('127.0.0.1').describe('The address to listen on.'),
        port: z.int().min(0).max(65_535).default(3000).describe('The port to listen on; 0 takes any free one.'),
      })
      .prefault({})
      .describe('Where the server listens, in plain http: TLS ends at the proxy in front.'),
    proxy: z
      .strictObject({
        hops: z
          .int()
          .min(0)
          .max(10)
          .default(0)
          .describe(
            'How many proxies of yours stand in front. X-Forwarded-For is read from the right, that many entries.',
          ),
      })
      .prefault({})
      .describe('Trust in proxies.'),
    store: z
      .string()
      .default('sqlite:./data/self-service.db')
      .describe('Where data lives: mongodb://..., mongodb+srv://..., or sqlite: and a file.'),
    mail: z
      .strictObject({
        url: z
          .string()
          .describe('The mail server: smtp://user:password@host:port or smtps://...; `outbox:` for development only.'),
        from: sender.describe('The sender of all mails.'),
      })
      .describe('How mails leave.'),
    clients: z
      .record(
        z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces, because it names a client'),
        z.strictObject({
          metadata: z
            .looseObject({})
            .describe('Client metadata of OpenID Connect registration, as oidc-provider takes it.'),
          firstParty: z.boolean().default(false).describe('One of your own: users are not asked for consent.'),
          prompts: z
            .array(z.enum(['change_password', 'forgot_password', 'security_info_registration']))
            .default([])
            .describe('Which of our prompts it may request.'),
          mfa: z
            .enum(['inherit', 'required'])
            .default('inherit')
            .describe(
              'Whether a password alone is enough for it: as `mfa.required` says, or never. Who has no second factor registers one.',
            ),
          silentWhileRecommended: z
            .boolean()
            .default(true)
            .describe(
              '`prompt=none` while registration may still be put off: goes through, or (`false`) is answered with `interaction_required`.',
            ),
        }),
      )
      .default({})
      .describe('Relying parties, by client_id.'),
    ...policyOptions(methods),
    password: z
      .strictObject({
        cost: z
          .int()
          .min(10)
          .max(15)
          .default(12)
          .describe('The cost of bcrypt; each step doubles the work. Imported hashes must not cost more.'),
        ...newPasswordOptions,
      })
      .prefault({})
      .describe('Passwords. New ones are always compared with the common ones and with names.'),
    session,
    outgoing,
    service: z
      .strictObject({
        name: z
          .string()
          .regex(/^[^:\p{Cc}]{1,60}$/u, 'must have 1 to 60 characters and no colon')
          .exactOptional()
          .describe("The name on pages, in mails and in authenticator apps; by default the issuer's host."),
      })
      .prefault({})
      .describe('What users see of this service.'),
    views: z
      .string()
      .min(1, 'must name a folder')
      .exactOptional()
      .describe('A folder whose files stand in for the pages, mails and texts of the same name.'),
    log: z
      .strictObject({
        level: z
          .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
          .default('info')
          .describe('The least severe level that is logged. No level logs secrets.'),
      })
      .prefault({})
      .describe('The log: JSON lines on standard output.'),
  })

export type Config = z.output<ReturnType<typeof configSchema>>

/** Options that policy is made of; everything else needs a restart. Of `password`, the cost does too. */
export type PolicyKey = keyof ReturnType<typeof policyOptions>
