// Turns what the schema found into sentences for people.
import type * as z from 'zod'
import type { Finding } from './finding.ts'
import { nearest } from './nearest.ts'
import { type Outline, optionsAt } from './outline.ts'
import { dotted, type Path, type Source } from './source.ts'

type Issue = z.core.$ZodIssue

export const pathOf = (issue: Issue): Path => issue.path.map((step) => (typeof step === 'number' ? step : String(step)))

export const valueAt = (data: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined),
    data,
  )

/** Options whose value may hold a password: a message never repeats them. */
const secret = (path: Path): boolean => ['store', 'mail.url'].includes(dotted(path)) || path[2] === 'metadata'

/** ` (found "al")`; nothing for what may be secret. */
export function found(source: Source, path: Path): string {
  const value = valueAt(source.data, path)
  if (value === undefined || secret(path) || source.fromEnvironment(path)) return ''
  if (Array.isArray(value)) return ' (found a list)'
  if (typeof value === 'object' && value !== null) return ' (found a section)'
  const text = JSON.stringify(value)
  return ` (found ${text.length > 60 ? `${text.slice(0, 60)}...` : text})`
}

const types: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list, such as [one, two]',
  object: 'a section with options of its own',
  record: 'a section with options of its own',
}

function wrongType(value: unknown, expected: string): string {
  const wanted = types[expected] ?? expected
  if (value === undefined) return 'is required: add it'
  if (value === null) return `is empty but must be ${wanted}: give it a value or remove the line`
  const guess =
    expected === 'boolean' &&
    typeof value === 'string' &&
    { yes: 'true', on: 'true', no: 'false', off: 'false' }[value.toLowerCase()]
  return `must be ${wanted}@found${guess ? `: did you mean ${guess}?` : ': change it'}`
}

function sentence(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      // A message that the schema brings is better than ours, unless there is no value at all.
      if (value !== undefined && value !== null && issue.message.startsWith('must')) return withFound(issue.message)
      return wrongType(value, issue.expected)
    case 'invalid_value': {
      const guess = typeof value === 'string' ? nearest(value, issue.values.map(String)) : undefined
      if (value === undefined) return 'is required: add it'
      return `must be one of ${issue.values.join(', ')}@found: ${guess ? `did you mean ${guess}?` : 'choose one of them'}`
    }
    case 'too_small':
      if (issue.origin === 'number' || issue.origin === 'int')
        return `must be at least ${issue.minimum}@found: raise it`
      return withFound(issue.message)
    case 'too_big':
      if (issue.origin === 'number' || issue.origin === 'int') return `must be at most ${issue.maximum}@found: lower it`
      return withFound(issue.message)
    case 'invalid_key':
      return issue.issues[0]?.message ?? issue.message
    default:
      return withFound(issue.message)
  }
}

/** What was found stands before the fix, which follows a colon. */
const withFound = (message: string): string => {
  const fix = message.indexOf(': ')
  return fix < 0 ? `${message}@found: change it` : `${message.slice(0, fix)}@found${message.slice(fix)}`
}

export function explain(issues: readonly Issue[], source: Source, outline: Outline): Finding[] {
  return issues.flatMap((issue) => {
    const path = pathOf(issue)
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((name) => {
        const guess = nearest(name, optionsAt(outline, path))
        return finding(
          source,
          [...path, name],
          `is no option: ${guess ? `did you mean ${guess}?` : 'remove it (config/default.yaml lists all options)'}`,
        )
      })
    }
    return [finding(source, path, sentence(issue, valueAt(source.data, path)))]
  })
}

/** A finding at an option; `@found` in the sentence becomes what stands there. */
export const finding = (source: Source, path: Path, sentence: string): Finding => ({
  file: source.file,
  line: source.lineOf(path),
  option: dotted(path),
  sentence: sentence.replace('@found', () => found(source, path)),
})
