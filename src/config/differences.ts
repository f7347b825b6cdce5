// What changed between two settings, flat: dotted path, old value, new value.

export interface Difference {
  path: string
  from: unknown
  to: unknown
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Lists are compared as a whole; an absent value is undefined. */
export function differences(from: unknown, to: unknown, path = ''): Difference[] {
  if (!isSection(from) && !isSection(to)) {
    return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ path, from, to }]
  }
  const before = isSection(from) ? from : {}
  const after = isSection(to) ? to : {}
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
    differences(before[name], after[name], path ? `${path}.${name}` : name),
  )
}
