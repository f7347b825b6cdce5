// `demo`: the whole product with nothing to set up; says where to click and as whom.
import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { type Demo, startDemo } from '../demo/demo.ts'
import { demoAccounts } from '../demo/files.ts'
import { jsonLog } from '../server/log.ts'
import { outboxPath } from '../server/outbox-page.ts'
import { untilStopped } from '../server/stop.ts'
import { type Io, UsageError } from './command.ts'

function portOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new UsageError(`${option} must be a port, 0 to 65535.`)
  return Number(text)
}

export async function run(args: string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: 'string' },
      'rp-port': { type: 'string' },
      data: { type: 'string', default: 'data' },
    },
  })
  const port = portOf(values.port ?? io.env['DEMO_PORT'], '--port')
  const rpPort = portOf(values['rp-port'] ?? io.env['DEMO_RP_PORT'], '--rp-port')
  const demo = await startDemo({
    folder: values.data,
    ...(port !== undefined && { port }),
    ...(rpPort !== undefined && { rpPort }),
    // What is for people goes to the standard output, so the log does not.
    log: ({ log }) => jsonLog(log.level, (line) => void process.stderr.write(line)),
  })
  io.out(welcome(demo))
  return untilStopped(demo.close, demo.log)
}

const welcome = ({ url, issuer, files }: Demo): string => {
  const people = demoAccounts.map((one) => `${one.username} / ${one.password}${'note' in one ? `  (${one.note})` : ''}`)
  return `
  The demonstration is running.

    Open          ${url}  and press "Sign in"
    Sign in as    ${people.join('\n                  ')}
    Mails         ${issuer}${outboxPath}
    The switch    registration.required in ${relative('', files.config)}
                  (true or false; save the file, and the next sign-in follows it)
${
  files.keysMade
    ? `
  Keys were made for this demonstration and are kept in ${relative('', files.keysFile)}, readable by you only.
`
    : ''
}
  Ctrl-C ends it.
`
}
