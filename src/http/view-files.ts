// Finds the files of views: ours from the package root, a host's own over them, file by file.
import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `views/` lies beside `src/` and beside `dist/`, so the same path holds for both. */
export const ownViews = fileURLToPath(new URL('../../views/', import.meta.url))

/** A file of views: where it was read, and its bytes. */
export interface ViewFile {
  path: string
  body: Buffer
}

/** All files under a folder by their path in it, with `/` between folders whatever the system. */
export async function readTree(root: string): Promise<Map<string, ViewFile>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
  const read = files.map(async (entry): Promise<[string, ViewFile]> => {
    const path = join(entry.parentPath, entry.name)
    return [relative(root, path).split(sep).join('/'), { path, body: await readFile(path) }]
  })
  return new Map((await Promise.all(read)).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The layers of views, ours first: a later one replaces whole files, except texts and `public/brand.css`, which add. */
export async function readViews(overrides?: string): Promise<Map<string, ViewFile>[]> {
  return Promise.all([ownViews, ...(overrides === undefined ? [] : [overrides])].map((root) => readTree(root)))
}
