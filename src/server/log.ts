// The log: JSON lines that hold no secret and cannot be broken out of.
import { type Logger, pino, type LevelWithSilent } from 'pino'

export type Log = Logger

/** Passwords in connection strings are the one secret that error messages of libraries are known to repeat. */
const masked = (text: string): string => text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1***@')

function plainError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? masked(error) : String(error)
  return {
    type: error.name,
    ...('code' in error && { code: String(error.code) }),
    message: masked(error.message),
    stack: masked(error.stack ?? ''),
    ...(error.cause !== undefined && depth < 3 && { cause: plainError(error.cause, depth + 1) }),
  }
}

/** JSON leaves some line ends of Unicode as they are, and terminals act on C1 controls (LG-4). */
const oneLine = (line: string): string =>
  line.replace(/[\u007f-\u009f\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)

export const jsonLog = (
  level: LevelWithSilent,
  write: (line: string) => void = (line) => void process.stdout.write(line),
): Log =>
  pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: (error: unknown) => plainError(error), error: (error: unknown) => plainError(error) },
    },
    { write: (line: string) => write(oneLine(line)) },
  )
