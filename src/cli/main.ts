#!/usr/bin/env node
// The administrator's command line: finds the command, and turns every failure into one sentence and an exit code.
import type { Io, Usage } from './command.ts'
import { commands, overview } from './commands.ts'

const OLDEST = 22

/** Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const major = Number(io.node.split('.')[0])
  if (!(major >= OLDEST)) {
    io.err(`oidc-self-service needs Node.js ${OLDEST} or newer, and this is ${io.node}: install a newer one.`)
    return 1
  }
  const [first = '--help', second = ''] = args
  if (first === '--help' || first === '-h' || first === 'help') {
    io.out(overview())
    return 0
  }
  if (first === '--version' || first === '-v') {
    io.out(await version())
    return 0
  }
  const name = commands[`${first} ${second}`] ? `${first} ${second}` : first
  const entry = commands[name]
  if (!entry) {
    io.err(`There is no command "${[first, second].filter(Boolean).join(' ').slice(0, 80)}". Try --help.`)
    return 2
  }
  const rest = args.slice(name.split(' ').length)
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(help(name, entry.usage, entry.summary))
    return 0
  }
  try {
    // Loaded only now: an old Node.js must be able to read this file, and no command pays for another one.
    const command = await entry.load()
    return await command.run(rest, io)
  } catch (error) {
    return failed(error, name, entry.usage, io)
  }
}

const help = (name: string, usage: Usage, summary: string): string =>
  `${summary}\n\nUsage: oidc-self-service ${name} ${usage.line}\n${usage.more ? `\n${usage.more}\n` : ''}`.trimEnd()

/** Errors that were written for people are printed as they are; anything else with its stack. */
function failed(error: unknown, name: string, usage: Usage, io: Io): number {
  const told: { name?: unknown; message?: unknown; code?: unknown; stack?: unknown } =
    typeof error === 'object' && error !== null ? error : { message: String(error) }
  const [kind, message, code, stack] = [told.name, told.message, told.code, told.stack].map(String)
  if (code?.startsWith('ERR_PARSE_ARGS') || kind === 'UsageError') {
    io.err(`${message?.split('\n')[0]}\nUsage: oidc-self-service ${name} ${usage.line}`)
    return 2
  }
  const expected = ['ConfigError', 'KeysUnusable', 'StoreRefused', 'CannotStart', 'Unavailable'].includes(kind ?? '')
  io.err(String(expected || io.env['DEBUG'] === undefined ? message : stack))
  if (!expected) io.err('This was not expected. Set DEBUG=1 to see where it happened.')
  return 1
}

async function version(): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return String(Reflect.get(Object(JSON.parse(text)), 'version'))
}

if (import.meta.main ?? (await isEntry())) {
  const env = { ...process.env }
  // For us only: libraries would print addresses with the ids of people's sign-ins in them (LG-1).
  delete process.env['DEBUG']
  process.exitCode = await main(process.argv.slice(2), {
    out: (text) => process.stdout.write(`${text}\n`),
    err: (text) => process.stderr.write(`${text}\n`),
    env,
    node: process.versions.node,
  })
}

/** Node.js 22 does not say whether a module is the entry; npm starts it through a link. */
async function isEntry(): Promise<boolean> {
  const { realpath } = await import('node:fs/promises')
  const { fileURLToPath } = await import('node:url')
  const entry = process.argv[1]
  return entry !== undefined && (await realpath(entry).catch(() => '')) === fileURLToPath(import.meta.url)
}
