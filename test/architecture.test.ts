// Reads the imports of the source and holds the house to its plan: arrows inward, no cycles, each library in its place.
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

const root = fileURLToPath(new URL('../src/', import.meta.url))

interface Import {
  from: string
  /** A file of ours, relative to `src`, or the name of a package. */
  to: string
  ours: boolean
  typeOnly: boolean
}

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.split(sep).join('/'))
  .toSorted()
const source = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))

const STATEMENT =
  /^(?:import|export)\s+(?<clause>(?:type\s+)?(?:[\w$*]+(?:\s+as\s+\w+)?\s*,?\s*)?(?:\{[^}]*\})?)\s*(?:from\s*)?'(?<target>[^'\n]+)'/gm
const DYNAMIC = /\bimport\(\s*'(?<target>[^'\n]+)'/g

/** `import { type A, type B }` is erased like `import type`. */
const erased = (clause: string): boolean => {
  if (/^\s*type\b/.test(clause)) return true
  const names = /^\s*\{([^}]*)\}\s*$/.exec(clause)?.[1]
  return names !== undefined && names.split(',').every((name) => /^\s*(type\b.*)?$/s.test(name))
}

const imports: Import[] = files.flatMap((from) => {
  const text = source.get(from) ?? ''
  const found = [
    ...[...text.matchAll(STATEMENT)].map(({ groups }) => ({
      target: groups?.['target'] ?? '',
      typeOnly: erased(groups?.['clause'] ?? ''),
    })),
    ...[...text.matchAll(DYNAMIC)].map(({ groups }) => ({ target: groups?.['target'] ?? '', typeOnly: false })),
  ]
  return found.map(({ target, typeOnly }) => {
    const ours = target.startsWith('.')
    const to = ours
      ? relative(root, join(root, dirname(from), target))
          .split(sep)
          .join('/')
      : target
    return { from, to, ours, typeOnly }
  })
})

const layerOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? '') : file)

/** Who may know whom. A layer knows itself; what is not listed sees nothing of ours. */
const may: Record<string, readonly string[] | 'everything'> = {
  domain: [],
  admin: ['domain'],
  passwords: ['domain'],
  senders: ['domain'],
  stores: ['domain'],
  methods: ['domain'],
  flows: ['methods', 'domain'],
  oidc: ['flows', 'domain'],
  // The pages are shown over the provider's interaction: `oidc` reads it and answers it.
  http: ['oidc', 'flows', 'domain'],
  'config.ts': ['config', 'domain'],
  config: ['config.ts', 'domain'],
  'outbox.ts': ['domain'],
  'policy-source.ts': ['config', 'domain'],
  'notices.ts': ['domain', 'methods'],
  'options.ts': ['config', 'domain', 'flows'],
  'parts.ts': 'everything',
  'plugin.ts': 'everything',
  'index.ts': 'everything',
  server: 'everything',
  demo: 'everything',
  cli: 'everything',
}

const told = ({ from, to }: Import): string => `${from} -> ${to}`

/** Which files import a package. */
const users = (name: string, which: (one: Import) => boolean = () => true): string[] => [
  ...new Set(imports.filter((one) => one.to === name && which(one)).map(({ from }) => from)),
]

describe('architecture', () => {
  it('sees the imports at all', () => {
    expect(files.length).toBeGreaterThan(100)
    const edge = (from: string, to: string) => imports.find((one) => one.from === from && one.to === to)
    expect(edge('flows/run.ts', 'flows/finish.ts')).toMatchObject({ ours: true, typeOnly: false })
    expect(edge('flows/flow.ts', 'domain/policy.ts')).toMatchObject({ ours: true, typeOnly: true })
    expect(edge('oidc/prompts.ts', 'oidc-provider')).toMatchObject({ ours: false, typeOnly: false })
    for (const { to, ours } of imports) if (ours) expect(files).toContain(to)
  })

  it('arrows point inward', () => {
    expect([...new Set(files.map(layerOf))].filter((layer) => !Object.hasOwn(may, layer))).toEqual([])
    const wrong = imports.filter(({ from, to, ours }) => {
      const allowed = may[layerOf(from)] ?? []
      return ours && allowed !== 'everything' && layerOf(to) !== layerOf(from) && !allowed.includes(layerOf(to))
    })
    expect(wrong.map(told)).toEqual([])
  })

  it('the domain imports no framework: Node alone', () => {
    const wrong = imports.filter(({ from, to, ours }) => layerOf(from) === 'domain' && !ours && !to.startsWith('node:'))
    expect(wrong.map(told)).toEqual([])
  })

  it('methods and flows know no request, no response and no store', () => {
    const frameworks = new Set([
      'koa',
      '@koa/router',
      'oidc-provider',
      'mongoose',
      'better-sqlite3',
      'nodemailer',
      'handlebars',
      'node:http',
    ])
    const wrong = imports.filter(({ from, to }) => /^(methods|flows)\//.test(from) && frameworks.has(to))
    expect(wrong.map(told)).toEqual([])
  })

  it('there are no cycles', () => {
    // Types are erased, but a cycle of types is a cycle of ideas all the same.
    const edges = new Map(files.map((file) => [file, imports.filter((one) => one.ours && one.from === file)]))
    const cycles: string[] = []
    const done = new Set<string>()
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
      if (done.has(file) || path.includes(file)) return
      for (const { to } of edges.get(file) ?? []) walk(to, [...path, file])
      done.add(file)
    }
    for (const file of files) walk(file, [])
    expect(cycles).toEqual([])
  })

  it('at run time only oidc/ knows oidc-provider, beside the program, which is the host', () => {
    const atRunTime = users('oidc-provider', ({ typeOnly }) => !typeOnly)
    expect(atRunTime.filter((file) => !/^(oidc|server|demo|cli)\//.test(file))).toEqual([])
    expect(atRunTime).toContain('oidc/prompts.ts')
    // The type of what is mounted, and of what renders its pages.
    const types = users('oidc-provider', ({ typeOnly }) => typeOnly)
    expect(types.filter((file) => !/^(oidc|server|demo|cli|http)\/|^(options|plugin|index)\.ts$/.test(file))).toEqual(
      [],
    )
  })

  it.each([
    ['speakeasy', /^methods\/totp\/oath\.ts$/],
    ['uqr', /^methods\/totp\/qr\.ts$/],
    ['bcrypt', /^passwords\/hash\.ts$/],
    ['mongoose', /^stores\/mongoose\//],
    ['better-sqlite3', /^stores\/sqlite\//],
    ['nodemailer', /^senders\/mail\.ts$/],
    ['handlebars', /^http\//],
    ['zod', /^config(\.ts|\/)/],
    ['openid-client', /^demo\//],
    ['pino', /^(server|demo|cli)\//],
  ])('%s is known where it is used, and nowhere else', (name, place) => {
    const known = users(name)
    expect(known.length).toBeGreaterThan(0)
    expect(known.filter((file) => !place.test(file))).toEqual([])
  })

  it('SC-6: time and chance are handed in', () => {
    const entry = /^(plugin\.ts|server\/|demo\/|cli\/)/
    const clocks = /\bDate\.now\(|\bnew Date\(\s*\)/
    expect(files.filter((file) => clocks.test(source.get(file) ?? '') && !entry.test(file))).toEqual([])
    expect(files.filter((file) => /\bMath\.random\b/.test(source.get(file) ?? ''))).toEqual([])
  })

  it('a file has one job: at most 250 lines, and its first says which', () => {
    const long = files.filter((file) => (source.get(file) ?? '').trimEnd().split('\n').length > 250)
    expect(long).toEqual([])
    const silent = files.filter(
      (file) => !/^(#!.*\n)?\/\/ .{20,}[.?]$/m.test((source.get(file) ?? '').split('\n').slice(0, 2).join('\n')),
    )
    expect(silent).toEqual([])
  })

  it('no house for everything', () => {
    const vague = /(^|\/)(utils?|helpers?|common|manager|service|misc|shared)(\/|\.ts$)/
    expect(files.filter((file) => vague.test(file))).toEqual([])
  })

  it('a method is a folder and a line', () => {
    const naming = files.filter((file) => /totp/i.test(source.get(file) ?? ''))
    const elsewhere = naming.filter((file) => !file.startsWith('methods/totp/') && file !== 'methods/index.ts')
    console.info(`files that name totp outside its folder and the list of methods: ${elsewhere.length}`, elsewhere)
    expect(elsewhere).toEqual([])
    expect(naming).toContain('methods/index.ts')
  })
})
