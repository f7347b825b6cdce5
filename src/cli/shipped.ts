// Writes what ships of @zxcvbn-ts: the list of common passwords, and the strength meter's two scripts; with --check only compares.
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('../../', import.meta.url))

async function read(name: string): Promise<{ title: string; file(path: string): Promise<string> }> {
  const folder = dirname(require.resolve(`${name}/package.json`))
  const file = (path: string): Promise<string> => readFile(join(folder, path), 'utf8')
  const { version } = JSON.parse(await file('package.json')) as { version: string }
  return { title: `${name} ${version} (MIT)`, file }
}

/** The bundle as its authors built it, with the licences of all that is in it in front. */
const bundle = async (source: Awaited<ReturnType<typeof read>>, also: readonly string[] = []): Promise<string> => {
  const text = (await source.file('dist/zxcvbn-ts.js')).replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n')
  const terms = [(await source.file('LICENSE.txt')).trim(), ...also].join('\n\n')
  return `/*! ${source.title}\n${terms}\n*/\n${text}`
}

const core = await read('@zxcvbn-ts/core')
const words = await read('@zxcvbn-ts/language-common')
const levenshtein = await read('fastest-levenshtein')
const within = `${levenshtein.title}\n${(await levenshtein.file('LICENSE.md')).trim()}`

/** Shorter ones are no passwords here. */
const LEAST = 8
const all = (JSON.parse(await words.file('src/passwords.json')) as string[])
  .map((password) => password.normalize('NFC'))
  .filter((password) => Array.from(password).length >= LEAST && !/[\n\r]|^# /.test(password))
const passwords = [...new Set(all)].toSorted((a, b) => (a < b ? -1 : 1))
const terms = (await words.file('LICENSE.txt')).split('\n').filter(Boolean)
const comments = [`${passwords.length} common passwords of ${LEAST} characters and more: ${words.title}.`, ...terms]

const files: Record<string, string> = {
  'config/common-passwords.txt': [...comments.map((line) => `# ${line}`), ...passwords, ''].join('\n'),
  'views/public/meter-engine.js': await bundle(core, [within]),
  'views/public/meter-words.js': await bundle(words),
}

for (const [name, text] of Object.entries(files)) {
  const file = join(root, name)
  if (!process.argv.includes('--check')) await writeFile(file, text)
  else if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    process.stderr.write(`${name} is stale: run "node src/cli/shipped.ts".\n`)
    process.exitCode = 1
  }
}
