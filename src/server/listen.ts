// Listens on an address, and stops listening without cutting off what is under way.
import { createServer, type RequestListener, type ServerResponse } from 'node:http'

/** Why the program does not start, in one sentence. */
export class CannotStart extends Error {
  constructor(sentence: string, cause?: unknown) {
    super(sentence, { cause })
    this.name = 'CannotStart'
  }
}

export interface Listening {
  port: number
  /** No new connections; resolves when running requests have ended, or were cut off after `patience` milliseconds. */
  close: (patience?: number) => Promise<void>
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'is in use by another program: stop that program or choose another port',
  EACCES: 'may not be used without more rights: choose a port above 1023',
  EADDRNOTAVAIL: 'is no address of this machine: choose another listen.host',
}

/** @throws {CannotStart} */
export async function listen(
  handler: RequestListener,
  { host, port, option = 'listen.port' }: { host: string; port: number; option?: string },
): Promise<Listening> {
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 20_000 }, handler)
  const running = new Set<ServerResponse>()
  server.prependListener('request', (_request, response: ServerResponse) => {
    running.add(response)
    response.once('close', () => running.delete(response))
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  try {
    await promise
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
    throw new CannotStart(`${option}: ${host}:${port} ${reasons[code] ?? `cannot be listened on (${code})`}.`, error)
  }
  server.removeListener('error', reject)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async close(patience = 7000) {
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      // Answers that go out from now on end their connection, so that no browser sends another request on it.
      const last = (response: ServerResponse): unknown =>
        response.headersSent || response.setHeader('Connection', 'close')
      for (const response of running) last(response)
      server.prependListener('request', (_request, response) => last(response))
      server.closeIdleConnections()
      const sweep = setInterval(() => server.closeIdleConnections(), 50)
      const late = setTimeout(() => server.closeAllConnections(), patience)
      await closed.promise
      clearInterval(sweep)
      clearTimeout(late)
    },
  }
}
