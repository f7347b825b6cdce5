// Runs until it is told to stop, then ends in order within 10 seconds; failures that nobody waits for are logged.
import type { Log } from './log.ts'

/** In all, for running requests, the mail queue and the store. */
const PATIENCE = 9000

/** Resolves to the exit code. */
export function untilStopped(close: () => Promise<void>, log: Log): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  let stopping = false

  const stop = (signal: string): void => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    const late = setTimeout(() => {
      log.warn('not everything ended in time')
      end(0)
    }, PATIENCE)
    close()
      .then(
        () => end(0),
        (error: unknown) => {
          log.error({ err: error }, 'stopping failed')
          end(1)
        },
      )
      .finally(() => clearTimeout(late))
  }
  const end = (code: number): void => {
    log.info('stopped')
    resolve(code)
    // Something may still hold the process: it had its time.
    setTimeout(() => process.exit(code), 200).unref()
  }

  // Whoever read the log is gone: that is no reason to stop serving.
  process.stdout.on('error', () => undefined)
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  // A failed promise that nobody awaits is a defect to mend, and no reason to sign everybody out.
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a failure that nobody handled'))
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'the process cannot go on')
    process.exitCode = 1
    setTimeout(() => process.exit(1), 100)
  })
  return promise
}
