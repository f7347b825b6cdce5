// Every command, one entry each: what it is for, how it is called, where it lives.
import type { Command, Usage } from './command.ts'

interface Entry {
  summary: string
  usage: Usage
  load(): Promise<Command>
}

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
}

export const overview = (): string =>
  [
    'oidc-self-service COMMAND [OPTIONS]',
    '',
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(14)} ${summary}`),
    '',
    'COMMAND --help tells more. --version prints the version.',
  ].join('\n')
