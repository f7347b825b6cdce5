// What a measurement says, and how it is printed: one row each, medians, ratios, goals.

export interface Row {
  name: string
  unit: string
  ours: number
  baseline?: number
  /** Ours divided by the baseline; given where it is not that of the two medians, but the median of paired ratios. */
  ratio?: number
  goal?: Goal
  /** What else a reader should know. */
  note?: string
}

/** `of`: which column is judged. */
export type Goal = { of: 'ours' | 'ratio' } & ({ least: number } | { most: number })

export const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b)

/** The nearest rank: a value that was measured, never one in between. NaN of nothing. */
export const percentile = (values: readonly number[], share: number): number =>
  sorted(values)[Math.max(0, Math.ceil(values.length * share) - 1)] ?? Number.NaN

export const median = (values: readonly number[]): number => percentile(values, 0.5)

export const ratioOf = ({ ours, baseline, ratio }: Row): number | undefined =>
  ratio ?? (baseline === undefined ? undefined : ours / baseline)

/** Undefined where there is no goal. What could not be measured misses it. */
export function met(row: Row): boolean | undefined {
  const { goal } = row
  if (!goal) return undefined
  const value = (goal.of === 'ours' ? row.ours : ratioOf(row)) ?? Number.NaN
  return 'least' in goal ? value >= goal.least : value <= goal.most
}

const digits = (value: number): string => {
  if (Number.isNaN(value)) return '?'
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return value.toFixed(0)
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2)
}

const amount = (value: number | undefined, unit: string): string =>
  value === undefined ? '' : unit === '' ? digits(value) : `${digits(value)} ${unit}`

function goalText({ goal, unit }: Row): string {
  if (!goal) return ''
  const [sign, value] = 'least' in goal ? ['>=', goal.least] : ['<=', goal.most]
  return goal.of === 'ratio' ? `${sign} ${value.toFixed(2)}` : `${sign} ${amount(value, unit)}`
}

const verdict = (row: Row): string => ({ true: 'yes', false: 'NO', undefined: '' })[String(met(row))] ?? ''

/** One aligned table. */
export function table(rows: readonly Row[]): string {
  const head = ['measured', 'ours', 'baseline', 'ratio', 'goal', 'ok?', 'note']
  const lines = rows.map((row) => [
    row.name,
    amount(row.ours, row.unit),
    amount(row.baseline, row.unit),
    ratioOf(row)?.toFixed(2) ?? '',
    goalText(row),
    verdict(row),
    row.note ?? '',
  ])
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => (line[column] ?? '').length)),
  )
  const numbers = new Set([1, 2, 3])
  const print = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => (numbers.has(at) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd()
  return [print(head), print(widths.map((width) => '-'.repeat(width))), ...lines.map(print)].join('\n')
}
