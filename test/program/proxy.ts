// A reverse proxy of a few lines: the issuer's address in front of one or more processes, asked in turn.
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Proxy {
  port: number
  /** Ports of the processes behind it. */
  targets: number[]
  /** Which of them answered each request, in order. */
  asked: { method: string; port: number }[]
  /** Whose turn it is, from the number of the request; one after the other by default. */
  order: (request: number) => number
  close(): Promise<void>
}

/** A process that is gone is a cut connection to the client. `X-Forwarded-For` is passed on with the client's address added. */
export async function startProxy(): Promise<Proxy> {
  const asked: Proxy['asked'] = []
  let requests = 0
  const server = createServer((incoming, outgoing) => {
    const { targets, order } = proxy
    const port = targets[order(requests++) % Math.max(1, targets.length)]
    if (port === undefined) {
      outgoing.destroy()
      return
    }
    asked.push({ method: incoming.method ?? '', port })
    const before = incoming.headers['x-forwarded-for']
    const from = [before ?? [], incoming.socket.remoteAddress ?? ''].flat().join(', ')
    const onward = request(
      {
        host: '127.0.0.1',
        port,
        method: incoming.method,
        path: incoming.url,
        headers: { ...incoming.headers, 'x-forwarded-for': from },
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
        answer.on('error', () => outgoing.destroy())
      },
    )
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: Proxy = {
    port: (server.address() as AddressInfo).port,
    targets: [],
    asked,
    order: (request) => request,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
