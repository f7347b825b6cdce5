// The stylesheet and the few files beside it, under names that carry their digest, so that a browser may keep them for ever.
import { createHash } from 'node:crypto'
import type { ViewFile } from './view-files.ts'

export interface Asset {
  type: string
  body: Buffer
  etag: string
}

export interface Assets {
  /** By the name with the digest in it, as pages link to it. */
  find(name: string): Asset | undefined
  /** `style.css` → `style.0a1b2c3d4e5f.css`. */
  named(file: string): string
  has(file: string): boolean
}

const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  woff2: 'font/woff2',
}

/** A host's `public/brand.css` is added to the end of our stylesheet: a colour can be changed without copying the whole. */
const brand = 'public/brand.css'

export function createAssets(layers: readonly Map<string, ViewFile>[]): Assets {
  const files = new Map(layers.flatMap((layer) => [...layer]))
  const assets = new Map<string, Asset>()
  const names = new Map<string, string>()
  for (const [path, file] of files) {
    const [, stem, extension] = /^public\/([\w-]+)\.(\w+)$/.exec(path) ?? []
    const type = extension === undefined ? undefined : types[extension]
    if (stem === undefined || type === undefined || path === brand) continue
    const more = path === 'public/style.css' ? files.get(brand)?.body : undefined
    const body = more ? Buffer.concat([file.body, Buffer.from('\n'), more]) : file.body
    const digest = createHash('sha256').update(body).digest('hex').slice(0, 12)
    const name = `${stem}.${digest}.${extension}`
    names.set(`${stem}.${extension}`, name)
    assets.set(name, { type, body, etag: `"${digest}"` })
  }
  return {
    find: (name) => assets.get(name),
    named: (file) => {
      const name = names.get(file)
      if (name === undefined) throw new Error(`no file "public/${file}" among the views`)
      return name
    },
    has: (file) => names.has(file),
  }
}
