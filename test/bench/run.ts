// What every measurement gets, and what it gives.
import type { Row } from './table.ts'

export interface Run {
  /** Seconds instead of minutes: shapes, not numbers to rely on. */
  quick: boolean
  /** The address of a fresh store: a file of its own each time, or the database that was named. */
  store(): string
  /** Base64, of this run. */
  root: string
  /** A folder that goes when the run ends. */
  folder: string
  /** How it goes on, for somebody who waits. */
  say(text: string): void
}

export type Measurement = (run: Run) => Promise<Row[]>
