// Reads YAML and keeps where everything stands, so that every refusal can name its line; fills in ${NAME}.
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { ConfigError, type Finding } from './finding.ts'

export type Environment = Readonly<Record<string, string | undefined>>
export type Path = readonly (string | number)[]

export interface Source {
  file: string
  data: unknown
  /** The line of an option; of what surrounds it when the file does not have it. */
  lineOf: (path: Path) => number
  has(path: Path): boolean
  /** Values that came from the environment: never repeated in a message. */
  fromEnvironment(path: Path): boolean
}

const MEBIBYTE = 1024 * 1024
const key = (path: Path): string => JSON.stringify(path)
const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined)
export const dotted = (path: Path): string => path.join('.')

/** @throws {ConfigError} when the text is no YAML mapping, names something twice, or a variable is missing. */
export function readSource(file: string, text: string, env: Environment): Source {
  if (text.length > MEBIBYTE) throw new ConfigError([{ file, line: 1, sentence: 'the file is larger than 1 MiB' }])
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, uniqueKeys: false, prettyErrors: false, logLevel: 'silent' })
  const lineAt = (offset: number): number => Math.max(1, lineCounter.linePos(offset).line)
  const findings: Finding[] = [...document.errors, ...document.warnings].map((error) => ({
    file,
    line: lineAt(error.pos[0]),
    sentence: `the file is not valid YAML (${error.message.replace(/\s+/g, ' ')}): mend this line or the one before it`,
  }))
  if (findings.length > 0) throw new ConfigError(findings)
  if (!isMap(document.contents)) {
    throw new ConfigError([{ file, line: 1, sentence: 'the file must hold options, one "name: value" a line' }])
  }

  const lines = new Map<string, number>()
  const environment = new Set<string>()
  const walk = (node: unknown, path: Path, again = false): void => {
    if (isMap(node)) {
      for (const pair of node.items) {
        const name = isScalar(pair.key) ? String(pair.key.value) : undefined
        const line = lineAt(startOf(pair.key) ?? startOf(node) ?? 0)
        if (name === undefined) {
          findings.push({ file, line, option: dotted(path), sentence: 'must have names before its colons' })
          continue
        }
        const here = [...path, name]
        const before = lines.get(key(here))
        if (before !== undefined && !again) {
          findings.push({ file, line, option: dotted(here), sentence: `is already given in line ${before}: keep one` })
        }
        lines.set(key(here), line)
        walk(pair.value, here, again || before !== undefined)
      }
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        lines.set(key([...path, index]), lineAt(startOf(item) ?? 0))
        walk(item, [...path, index])
      }
    } else if (isScalar(node) && typeof node.value === 'string') {
      const line = lineAt(startOf(node) ?? 0)
      node.value = node.value.replace(/\$\$\{|\$\{([^}]*)\}/g, (whole, name: string | undefined) => {
        if (name === undefined) return '${'
        environment.add(key(path))
        const value = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? env[name] : undefined
        if (value) return value
        const sentence = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
          ? `takes its value from the environment variable ${name}, which is not set: set it, or write the value here`
          : `has ${JSON.stringify(whole)}, which names no environment variable: write \${NAME}, or $\${ for the text itself`
        findings.push({ file, line, option: dotted(path), sentence })
        return whole
      })
    } else if (isAlias(node) && !node.resolve(document)) {
      findings.push({
        file,
        line: lineAt(startOf(node) ?? 0),
        option: dotted(path),
        sentence: 'has an unknown alias',
      })
    }
  }
  walk(document.contents, [])
  if (findings.length > 0) throw new ConfigError(findings)

  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: 100 })
  } catch {
    throw new ConfigError([{ file, line: 1, sentence: 'the file repeats its anchors too often: write the values out' }])
  }
  const lineOf = (path: Path): number => lines.get(key(path)) ?? (path.length === 0 ? 1 : lineOf(path.slice(0, -1)))
  return {
    file,
    data,
    lineOf,
    has: (path) => lines.has(key(path)),
    fromEnvironment: (path) => environment.has(key(path)),
  }
}
