// The page behind "this was not me": in the reader's language, with a switch, and the switch changes nothing else.
import { expect, it } from '@jest/globals'
import { anyone, arena, someone } from '../attacks/attacker.ts'
import { eachStore } from '../stores.ts'
import { choose, gates, newPassword, notMeLink, owner } from './owner.ts'
import { at } from './steps.ts'

const languageOf = (html = ''): string => /<html lang="([^"]+)"/.exec(html)?.[1] ?? ''

eachStore('this was not me', (database) => {
  const here = arena(database)

  it('speaks the language of the browser, or the one that was switched to, also on the page after the button', async () => {
    const w = await here.enter()
    const [who, b, reader] = [await owner(w, someone()), anyone(w), anyone(w)]
    await gates(w, b, who)
    await choose(b, newPassword())
    const link = await notMeLink(w, `${who.username}@example.org`, /was reset/)
    reader.headers['accept-language'] = 'zh-HK, en;q=0.5'
    await reader.open(link)
    expect([at(reader), languageOf(reader.now?.html)]).toEqual(['message', 'zh-TW'])
    expect(reader.now?.headers.get('content-language')).toBe('zh-TW')
    const [, href = ''] = /<a href="(\?[^"]+)" lang="en"/.exec(reader.now?.html ?? '') ?? []
    await reader.open(new URL(href.replace('&#x3D;', '='), link).href)
    expect([at(reader), languageOf(reader.now?.html)]).toEqual(['message', 'en'])
    expect((await w.account(who.username)).frozen).toBeUndefined()
    await reader.submit({ action: 'continue' })
    expect([at(reader), languageOf(reader.now?.html)]).toEqual(['message', 'en'])
    expect((await w.account(who.username)).frozen).toBeDefined()
    await reader.open(link)
    expect([at(reader), languageOf(reader.now?.html)]).toEqual(['error !link_over', 'en'])
  })
})
