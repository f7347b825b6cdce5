// Writes config/default.yaml; with --check only compares, for the build.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { document } from '../config/document.ts'
import { createMethods } from '../methods/index.ts'

const file = fileURLToPath(new URL('../../config/default.yaml', import.meta.url))
const text = document(createMethods())

if (!process.argv.includes('--check')) await writeFile(file, text)
else if ((await readFile(file, 'utf8')) !== text) {
  process.stderr.write('config/default.yaml is stale: run "npm run docs".\n')
  process.exitCode = 1
}
