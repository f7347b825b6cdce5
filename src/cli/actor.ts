// Who runs the command, for the audit trail.
import { userInfo } from 'node:os'
import type { Io } from './command.ts'

export function actor({ env }: Io): string {
  let name = env['SUDO_USER'] ?? env['USER'] ?? env['USERNAME']
  try {
    name ??= userInfo().username
  } catch {
    // A container may run under a number that has no name.
  }
  return `cli:${name ?? 'unknown'}`
}
