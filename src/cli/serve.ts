// `serve`: runs the server until it is told to stop.
import { parseArgs } from 'node:util'
import { loadConfig } from '../config/load.ts'
import { parseRootKeys } from '../domain/keys.ts'
import { createMethods } from '../methods/index.ts'
import { jsonLog } from '../server/log.ts'
import { startServer } from '../server/serve.ts'
import { untilStopped } from '../server/stop.ts'
import { type Io, needed } from './command.ts'

export async function run(args: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args, options: { config: { type: 'string' } } })
  const config = await loadConfig(needed(values.config, 'config'), { env: io.env, methods: createMethods() })
  const roots = parseRootKeys(io.env['SELF_SERVICE_KEYS'] ?? '')
  const log = jsonLog(config.log.level)
  const starting = startServer(config, { roots, log })
  // Told to stop while it starts, or in the very moment in which it begins to listen: it still ends in order.
  const stopped = untilStopped(async () => (await starting).close(), log)
  await starting
  return stopped
}
