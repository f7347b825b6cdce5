// Every command, one entry each: what it is for, how it is called, where it lives.
import type { Command, Usage } from './command.ts'

interface Entry {
  summary: string
  usage: Usage
  load(): Promise<Command>
}

type Acts = 'disabling' | 'enabling' | 'flagging' | 'registering' | 'revoking' | 'unlocking'
const acts = (name: Acts) => async (): Promise<Command> => (await import('./users-acts.ts'))[name]

export const commands: Readonly<Record<string, Entry>> = {
  demo: {
    summary: 'Runs the whole product with nothing to set up.',
    usage: {
      line: '[--port 3000] [--rp-port 3001] [--data data]',
      more: 'Everything it makes lies in the data folder; delete the folder to begin anew.',
    },
    load: () => import('./demo.ts'),
  },
  serve: {
    summary: 'Runs the server.',
    usage: {
      line: '--config FILE',
      more: 'Listens only when configuration, keys (SELF_SERVICE_KEYS) and store are good. SIGTERM ends it in order.',
    },
    load: () => import('./serve.ts'),
  },
  'config check': {
    summary: 'Checks a configuration file without starting.',
    usage: { line: 'FILE', more: 'Exit code 0: good. 1: refused, one sentence a line.' },
    load: () => import('./config-check.ts'),
  },
  'users import': {
    summary: 'Adds accounts from a file: JSON array, JSON lines or CSV.',
    usage: {
      line: 'FILE --config FILE',
      more: `Fields: username, email, emailVerified, name, groups, passwordHash ($2a$, $2b$, $2y$), disabled, and one for each
method that can be imported. In CSV, groups are separated by ";". A row is added whole or not at all; refused rows are
listed with line and reason. A username that exists stays as it is, so running it again changes nothing.
Exit code 1 when a row was refused.`,
    },
    load: () => import('./users-import.ts'),
  },
  'users add': {
    summary: 'Adds one account, without a password.',
    usage: {
      line: '--username NAME --email ADDRESS [--name "FULL NAME"] [--group GROUP]... --config FILE',
      more: 'You vouch for the address: it counts as verified.',
    },
    load: () => import('./users-add.ts'),
  },
  'users list': {
    summary: 'Lists accounts, ascending by id.',
    usage: { line: '[--after ID] [--limit 100] [--json] --config FILE', more: '--json prints one object a line.' },
    load: () => import('./users-list.ts'),
  },
  'users show': {
    summary: 'Shows one account, without its secrets.',
    usage: { line: 'USERNAME [--json] --config FILE' },
    load: () => import('./users-show.ts'),
  },
  'users update': {
    summary: 'Changes username, name, address or groups.',
    usage: {
      line: `USERNAME [--username NAME] [--name "FULL NAME"] [--email ADDRESS] [--verified]
  [--group GROUP]... [--no-group GROUP]... --config FILE`,
      more: `A new address is not verified unless you vouch for it with --verified. An empty name or address takes it away.
--group adds to a group, --no-group takes out of one. The password and what was registered stay as they are.`,
    },
    load: () => import('./users-update.ts'),
  },
  'users delete': {
    summary: 'Deletes an account.',
    usage: {
      line: 'USERNAME --yes --config FILE',
      more: `Everything registered and signed in goes with it; its events stay in the audit trail. An account that is added under
the same name later is another one. A run that was interrupted is finished with the id in place of the name.`,
    },
    load: () => import('./users-delete.ts'),
  },
  'users disable': {
    summary: 'Disables an account and signs it out everywhere.',
    usage: { line: 'USERNAME --config FILE' },
    load: acts('disabling'),
  },
  'users enable': {
    summary: 'Enables a disabled account.',
    usage: { line: 'USERNAME --config FILE' },
    load: acts('enabling'),
  },
  'users unlock': {
    summary: 'Ends the waits after wrong passwords.',
    usage: {
      line: 'USERNAME [--thaw] --config FILE',
      more: `Nothing else is enabled again: a disabled account and a disabled authenticator stay so. --thaw also allows changes
to security info and password again that the user froze with "this was not me".`,
    },
    load: acts('unlocking'),
  },
  'users invite': {
    summary: 'Mails where to set a first password.',
    usage: {
      line: 'USERNAME --config FILE',
      more: `For an account without a second factor: its password and what was half registered go, it is signed out everywhere, and
its owner may set a first password for 30 days, with a code mailed to the address on file. Administrators also need
an access pass, which comes later, and are refused. Needs SELF_SERVICE_KEYS. A running server sends the mail.`,
    },
    load: () => import('./users-invite.ts'),
  },
  'users require-change': {
    summary: 'Demands a new password at the next sign-in.',
    usage: { line: 'USERNAME --config FILE', more: 'Signs the account out everywhere.' },
    load: acts('flagging'),
  },
  'users require-registration': {
    summary: 'Removes what was registered; it is asked for anew.',
    usage: {
      line: 'USERNAME --yes --config FILE',
      more: `For a lost phone, when the user is known to be who they say. Signs the account out everywhere. Until it has registered
again, the password and what registration.trustGate asks are enough to register: hence --yes. Refused where
policy would not ask this account to register.`,
    },
    load: acts('registering'),
  },
  'users revoke-sessions': {
    summary: 'Signs an account out everywhere.',
    usage: { line: 'USERNAME --config FILE', more: 'Sessions, grants and tokens are dead at once, in every process.' },
    load: acts('revoking'),
  },
  audit: {
    summary: 'Prints the audit trail, and follows it.',
    usage: {
      line: `[--account ID | --username NAME] [--kind KIND] [--from TIME] [--to TIME]
  [--limit 100 | --all] [--json] [--follow] --config FILE`,
      more: `The newest events, oldest of them first. TIME is a day (2026-01-31, in UTC) or a moment (2026-01-31T08:00Z). --json prints
one object a line. --follow shows what happens from now on, after the newest --limit events if that is given; SIGINT ends it.`,
    },
    load: () => import('./audit.ts'),
  },
}

export const overview = (): string =>
  [
    'oidc-self-service COMMAND [OPTIONS]',
    '',
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(26)} ${summary}`),
    '',
    'COMMAND --help tells more. --version prints the version.',
  ].join('\n')
