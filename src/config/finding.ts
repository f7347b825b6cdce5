// A refusal of the configuration: one sentence each, naming option, line, what is wrong and the fix.

export interface Finding {
  /** Absent: the finding is about the environment. */
  file?: string
  line?: number
  /** Dotted path of the option. */
  option?: string
  /** Goes on after the option: "must be ... (found ...): do this". */
  sentence: string
}

export const say = ({ file, line, option, sentence }: Finding): string =>
  `${file ? `${file}${line ? `:${line}` : ''}: ` : ''}${option ? `${option} ` : ''}${sentence}`

/** Thrown when a configuration is refused. The message has one line a finding, first line first. */
export class ConfigError extends Error {
  readonly findings: readonly Finding[]
  constructor(findings: readonly Finding[]) {
    const sorted = findings.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
    super(sorted.map(say).join('\n'))
    this.name = 'ConfigError'
    this.findings = sorted
  }
}
