// `users invite`: opens the setting of a first password again, and queues a mail that says where. Its link proves nothing.
import { parseArgs } from 'node:util'
import { ACTIVATION_DAYS, activationFrom, invite } from '../admin/registration.ts'
import { opaqueId } from '../domain/codes.ts'
import { loadKeys, parseRootKeys } from '../domain/keys.ts'
import type { Mailer } from '../domain/ports.ts'
import { createViews } from '../http/render.ts'
import { createPost } from '../senders/post.ts'
import { realChance } from '../server/chance.ts'
import { type Io, needed, only } from './command.ts'
import { atDesk, type Desk, named, perform } from './desk.ts'
import { visible } from './visible.ts'

export async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { config: { type: 'string' } },
  })
  const username = only(positionals, 'The username')
  const file = needed(values.config, 'config')
  const roots = parseRootKeys(io.env['SELF_SERVICE_KEYS'] ?? '')
  return atDesk(file, io, async (desk) => {
    const account = await named(desk, username)
    if (!account) return 1
    // Ready before anything is changed: an account whose mail cannot be written is not invited.
    const queue = await letter(desk, roots, account.language ?? 'en')
    const acting = desk.acting()
    const act = invite(acting, { policy: desk.config.policy, traits: desk.methods })
    const performed = await perform(desk, account, act)
    if ('exit' in performed) return performed.exit
    const { email = '', id } = performed.done
    await queue(email, activationFrom(acting.at).until)
    io.out(
      `${visible(account.username)} (${id}) is invited: a first password may be set for ${ACTIVATION_DAYS} days. ` +
        'The mail is queued: a running server sends it; while none runs, it waits.',
    )
    return 0
  })
}

/** Queues only: the server has the way to the mail server. */
const nobody: Mailer = {
  send: () => Promise.reject(new Error('this process only queues mails')),
  healthy: () => true,
  close: async () => undefined,
}

async function letter({ config, store, io }: Desk, roots: readonly Buffer[], language: string) {
  const [keys, views] = await Promise.all([
    loadKeys(store.claims, roots, realChance),
    createViews(config.views === undefined ? {} : { overrides: config.views }),
  ])
  const log = { info: () => undefined, warn: () => undefined, error: (_facts: object, text: string) => io.err(text) }
  const post = createPost({ mails: store.mails, mailer: nobody, keys, chance: realChance, log })
  const service = config.service.name ?? new URL(config.issuer).hostname
  const link = `${config.issuer}/forgot-password`
  const mail = views.mail('invite', language, { service, link, days: ACTIVATION_DAYS })
  return (to: string, expiresAt: number) => post.put(opaqueId(realChance), { to, ...mail }, expiresAt)
}
