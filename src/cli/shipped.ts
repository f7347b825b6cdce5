// Writes what ships of @zxcvbn-ts: the list of common passwords, and the strength meter's two scripts; with --check only compares.
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('../../', import.meta.url))

async function read(name: string): Promise<{ title: string; license: string; file(path: string): Promise<string> }> {
  const folder = dirname(require.resolve(`${name}/package.json`))
  const file = (path: string): Promise<string> => readFile(join(folder, path), 'utf8')
  const { version } = JSON.parse(await file('package.json')) as { version: string }
  const [license = ''] = (await file('LICENSE.txt')).split('\n\nPermission')
  return { title: `${name} ${version} (MIT)`, license: license.trim().split('\n').join('; '), file }
}

/** The bundle as its authors built it, with its licence in front. */
const bundle = async (source: Awaited<ReturnType<typeof read>>): Promise<string> => {
  const text = (await source.file('dist/zxcvbn-ts.js')).replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n')
  const terms = (await source.file('LICENSE.txt')).trim()
  return `/*! ${source.title}\n${terms}\n*/\n${text}`
}

const core = await read('@zxcvbn-ts/core')
const words = await read('@zxcvbn-ts/language-common')

/** Shorter ones are no passwords here. */
const LEAST = 8
const passwords = (JSON.parse(await words.file('src/passwords.json')) as string[])
  .map((password) => password.normalize('NFC'))
  .filter((password) => Array.from(password).length >= LEAST && !/[\n\r]|^# /.test(password))
  .toSorted((a, b) => (a < b ? -1 : 1))

const files: Record<string, string> = {
  'config/common-passwords.txt': `# ${passwords.length} common passwords of 8 characters and more: ${words.title}. ${words.license}\n${[...new Set(passwords)].join('\n')}\n`,
  'views/public/meter-engine.js': await bundle(core),
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
