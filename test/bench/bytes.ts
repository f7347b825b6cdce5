// What a page weighs: its HTML and its stylesheet, as they are, not compressed.
import { openStore } from '../../src/stores/open.ts'
import type { Measurement } from './run.ts'
import type { Row } from './table.ts'
import { tour } from './tour.ts'

export const bytesPerPage: Measurement = async (run) => {
  run.say('bytes: every page once')
  const store = await openStore(run.store())
  const rows: Row[] = []
  try {
    await tour({
      store,
      root: run.root,
      around: (walk, visit) => async (name, request) => {
        const answer = await request()
        if (walk !== 'known browser' && answer.status === 200) {
          const links = [...answer.body.matchAll(/<link rel="stylesheet" href="([^"]+)"/g)]
          const styles = await Promise.all(links.map(([, href]) => visit.get(href ?? '')))
          const html = Buffer.byteLength(answer.body)
          const style = styles.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0)
          rows.push({
            name: `bytes: ${walk}, ${name}`,
            unit: 'kB',
            ours: (html + style) / 1000,
            goal: { of: 'ours', most: 30 },
            note: `${html} of HTML, ${style} of style`,
          })
        }
        return answer
      },
    })
  } finally {
    await store.close()
  }
  return rows
}
