// Loads a configuration file: YAML, environment, schema, rules. Good, or refused with every reason at once.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type * as z from 'zod'
import { type Config, configSchema, type PolicyKey, policySchema } from '../config.ts'
import type { MethodTraits, Policy } from '../domain/policy.ts'
import { explain, finding, pathOf, valueAt } from './explain.ts'
import { ConfigError } from './finding.ts'
import { outlineOf } from './outline.ts'
import { type Broken, cautions, policyRules, serverRules } from './rules.ts'
import { type Environment, type Path, readSource, type Source } from './source.ts'

export interface Read {
  file: string
  text: string
  env?: Environment
  methods: readonly MethodTraits[]
}

export type Loaded = Omit<Config, PolicyKey> & {
  password: Pick<Config['password'], 'cost'>
  file: string
  policy: Policy
  /** The line of an option in the file. */
  lineOf: (path: Path) => number
  /** What is allowed but to be looked at, one sentence each: logged at every start. */
  cautions: readonly string[]
}

/** @throws {ConfigError} */
export async function loadConfig(
  file: string,
  options: { env?: Environment; methods: readonly MethodTraits[] },
): Promise<Loaded> {
  return readConfig({ file, text: await textOf(file), ...options })
}

/** @throws {ConfigError} */
export function readConfig({ file, text, env = process.env, methods }: Read): Loaded {
  const source = readSource(file, text, env)
  const schema = configSchema(methods)
  const config = parse(source, schema)
  const policy = { ...policyOf(config), clients: clientPolicies(config.clients) }
  refuse(source, [...serverRules(config), ...policyRules(policy, methods)])
  const notes = cautions({ ...config, policy }).map(({ path, sentence }) => `${path.join('.')} ${sentence}`)
  const { registration: _r, mfa: _m, reset: _s, notify: _n, admins: _a, tokens: _t, helpdesk: _h, ...server } = config
  const { cost } = config.password
  return { ...server, password: { cost }, file, lineOf: source.lineOf, policy, cautions: notes }
}

/** Reads policy alone, from a file of policy or from the server's whole file. @throws {ConfigError} */
export function readPolicy(read: Read): { policy: Policy; server?: Omit<Loaded, 'policy'> } {
  const source = readSource(read.file, read.text, read.env ?? process.env)
  if (source.has(['issuer'])) {
    const { policy, ...server } = readConfig(read)
    return { policy, server }
  }
  const policy = policyOf(parse(source, policySchema(read.methods)))
  refuse(source, policyRules(policy, read.methods))
  return { policy }
}

/** The same for the same policy, in every process. */
export const digestOf = (policy: Policy): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(policy)))
    .digest('base64url')

const sorted = (value: unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, part]) => [name, sorted(part)]),
      )
    : value

/** @throws {ConfigError} naming the file. */
export async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : String(error)
    const why = code === 'ENOENT' ? 'does not exist: name a file that does' : `cannot be read (${code}): allow it`
    throw new ConfigError([{ sentence: `the configuration file ${file} ${why}` }])
  }
}

const policyOf = ({
  registration,
  mfa,
  reset,
  password: { banned, breached },
  notify,
  admins,
  tokens,
  helpdesk,
}: z.output<ReturnType<typeof policySchema>>): Policy => ({
  registration,
  mfa,
  reset: { ...reset, gates: reset.gates === 1 ? 1 : 2 },
  password: { banned, ...(breached !== undefined && { breached }) },
  notify,
  admins,
  tokens,
  ...(helpdesk !== undefined && { helpdesk }),
})

/** Per relying party, only what takes effect without a restart; a client without a wish is left out. */
const clientPolicies = (clients: Config['clients']): NonNullable<Policy['clients']> =>
  Object.fromEntries(
    Object.entries(clients)
      .filter(([, one]) => one.prompts.length > 0 || one.mfa !== 'inherit' || !one.silentWhileRecommended)
      .map(([id, { prompts, mfa, silentWhileRecommended }]) => [id, { prompts, mfa, silentWhileRecommended }]),
  )

function refuse(source: Source, broken: readonly Broken[]): void {
  if (broken.length > 0) throw new ConfigError(broken.map(({ path, sentence }) => finding(source, path, sentence)))
}

function parse<Schema extends z.ZodObject>(source: Source, schema: Schema): z.output<Schema> {
  const first = schema.safeParse(source.data)
  if (first.success) return first.data
  for (const issue of first.error.issues) {
    if (issue.code === 'invalid_type') convert(source, pathOf(issue), issue.expected)
  }
  const second = schema.safeParse(source.data)
  if (second.success) return second.data
  throw new ConfigError(explain(second.error.issues, source, outlineOf(schema)))
}

/**
 * A section of which every line is commented out is an empty one. And the environment knows only texts: where a number
 * or a switch is wanted, its value is read as one.
 */
function convert(source: Source, path: Path, expected: string): void {
  const value = valueAt(source.data, path)
  const parent = valueAt(source.data, path.slice(0, -1))
  const name = path.at(-1)
  if (typeof parent !== 'object' || parent === null || name === undefined) return
  if (value === null && /^(object|record)$/.test(expected)) Reflect.set(parent, name, {})
  if (typeof value !== 'string' || !source.fromEnvironment(path)) return
  if (expected === 'boolean' && /^(true|false)$/.test(value)) Reflect.set(parent, name, value === 'true')
  if (/^(number|int)$/.test(expected) && /^\d{1,9}$/.test(value)) Reflect.set(parent, name, Number(value))
}
