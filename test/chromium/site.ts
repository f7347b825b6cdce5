// A provider of the test world and, on another origin, a relying party's callback that a real browser can reach.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type World, type WorldOptions, world } from '../world.ts'

export interface Site {
  world: World
  /** The relying party's origin: another host and another port than the issuer's. */
  party: string
  /** Where a stranger begins. */
  start(more?: Record<string, string>): string
  close(): Promise<void>
}

export async function site(setup: WorldOptions = {}): Promise<Site> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://party')
    response.setHeader('content-type', 'text/html; charset=utf-8')
    if (pathname === '/frame') {
      const framed = searchParams.get('of')?.replaceAll('&', '&amp;').replaceAll('"', '&quot;') ?? ''
      response.end(`<!doctype html><title>frame</title><iframe name="framed" src="${framed}"></iframe>`)
      return
    }
    const outcome = searchParams.get('error') ?? (searchParams.has('code') ? 'code' : 'nothing')
    response.end(
      `<!doctype html><html lang="en"><title>Party</title><main data-page="party" data-outcome="${outcome.replace(/\W/g, '')}"><h1>Back</h1></main></html>`,
    )
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const party = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = {
    client_id: 'rp',
    client_name: 'Example application',
    token_endpoint_auth_method: 'none' as const,
    redirect_uris: [`${party}/cb`],
    post_logout_redirect_uris: [`${party}/`],
  }
  const made = await world({ clients: [client], ...setup })
  return {
    world: made,
    party,
    start: (more = {}) => made.authorize({ redirect_uri: `${party}/cb`, ...more }),
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      await made.close()
    },
  }
}
