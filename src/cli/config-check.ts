// `config check`: the checks of `serve`, without starting.
import { parseArgs } from 'node:util'
import { loadConfig } from '../config/load.ts'
import { createMethods } from '../methods/index.ts'
import { checkClients } from '../server/clients.ts'
import { type Io, only } from './command.ts'

export async function run(args: string[], io: Io): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} })
  const file = only(positionals, 'The configuration file')
  const config = await loadConfig(file, { env: io.env, methods: createMethods() })
  await checkClients(config)
  for (const caution of config.cautions) io.err(`Note: ${caution}.`)
  io.out(`${file} is good.`)
  return 0
}
