// Calls to addresses that somebody else chose: what is not public is not reached, however it is written or resolved.
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { callable, networkOf } from '../../src/domain/networks.ts'
import { AddressRefused, outgoingFetch, type Resolve } from '../../src/senders/outgoing.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  }
})

async function site(handler: RequestListener): Promise<{ port: number; asked: () => number }> {
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    handler(request, response)
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return { port: (server.address() as AddressInfo).port, asked: () => asked }
}

const ok: RequestListener = (_request, response) => void response.end('here')

/** A name server of one's own: the answers of one look-up after the other. */
function names(...answers: string[][]): { resolve: Resolve; asked: () => number } {
  let asked = 0
  const resolve: Resolve = (_name, _options, done) => {
    const answer = answers[Math.min(asked++, answers.length - 1)] ?? []
    done(
      null,
      answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
  return { resolve, asked: () => asked }
}

describe('ASVS 1.3.6: which addresses may be called', () => {
  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '192.0.0.8',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
    '0:0:0:0:0:ffff:169.254.169.254',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a00:1',
    '2002:7f00:1::',
    '2001::1',
    'fc00::1',
    'fd12::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '',
    'localhost',
    '1.2.3',
  ])('not %j', (address) => {
    expect(callable([])(address)).toBe(false)
  })

  it.each(['1.1.1.1', '172.15.255.255', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:8.8.8.8', '2a00::1'])(
    '%s is public',
    (address) => {
      expect(callable([])(address)).toBe(true)
    },
  )

  it('what is allowed is allowed, and nothing beside it', () => {
    const may = callable(['10.1.0.0/16', '127.0.0.1', 'fd00::/8'])
    const asked = ['10.1.2.3', '10.2.0.1', '127.0.0.1', '127.0.0.2', '::ffff:10.1.0.1', 'fd01::1', 'fc01::1', '::1']
    expect(asked.filter(may)).toEqual(['10.1.2.3', '127.0.0.1', '::ffff:10.1.0.1', 'fd01::1'])
  })

  it.each(['', 'localhost', '10.0.0.0/33', '10.0.0', '::1/129', '10.0.0.0/', '10.0.0.0/-1', 'a/8', '10.0.0.1/8/8'])(
    '%j is no network',
    (text) => {
      expect(networkOf(text)).toBeUndefined()
      expect(() => callable([text])).toThrow(RangeError)
    },
  )
})

describe('ASVS 1.3.6: calls', () => {
  const hosts = [
    '127.0.0.1',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '0.0.0.0',
    '[::]',
  ]
  it.each(hosts)('%s is refused before anything is sent', async (host) => {
    const here = await site(ok)
    await expect(outgoingFetch([])(`http://${host}:${here.port}/`)).rejects.toThrow(AddressRefused)
    expect(here.asked()).toBe(0)
  })

  it.each([[['127.0.0.1']], [['::1']], [['::ffff:127.0.0.1']], [['1.1.1.1', '127.0.0.1']], [['10.0.0.1']]])(
    'a name that stands for %j is refused',
    async (addresses) => {
      const here = await site(ok)
      const { resolve } = names(addresses)
      await expect(outgoingFetch([], resolve)(`http://evil.example:${here.port}/`)).rejects.toThrow(AddressRefused)
      expect(here.asked()).toBe(0)
    },
  )

  it('the address that was judged is the one that is called: a second answer is never asked for', async () => {
    const here = await site(ok)
    const rebinding = names(['127.0.0.1'], ['127.0.0.2'])
    const answer = await outgoingFetch(['127.0.0.1'], rebinding.resolve)(`http://evil.example:${here.port}/`)
    expect(await answer.text()).toBe('here')
    expect(rebinding.asked()).toBe(1)
  })

  it('a redirect is answered, not followed', async () => {
    const inside = await site(ok)
    const outside = await site((_request, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${inside.port}/` }).end()
    })
    const answer = await outgoingFetch(['127.0.0.1'])(`http://127.0.0.1:${outside.port}/`, {
      method: 'POST',
      body: 'x',
    })
    expect(answer.status).toBe(307)
    expect(inside.asked()).toBe(0)
  })

  it('sends method, headers and body, and answers status, headers and text', async () => {
    let got = ''
    const here = await site((request, response) => {
      request.on('data', (chunk: Buffer) => (got += String(chunk)))
      request.on('end', () => {
        got += ` ${request.method} ${request.headers['content-type']} ${request.headers['user-agent']}`
        response.writeHead(200, { 'content-type': 'application/json', expires: 'Thu, 01 Jan 2037 00:00:00 GMT' })
        response.end('{"keys":[]}')
      })
    })
    const answer = await outgoingFetch(['127.0.0.0/8'])(`http://127.0.0.1:${here.port}/`, {
      method: 'POST',
      headers: new Headers({ 'content-type': 'application/x-www-form-urlencoded', 'user-agent': '' }),
      body: new URLSearchParams({ logout_token: 'a.b.c' }),
    })
    expect(await answer.json()).toEqual({ keys: [] })
    expect(answer.headers.get('expires')).toBe('Thu, 01 Jan 2037 00:00:00 GMT')
    expect(got).toBe('logout_token=a.b.c POST application/x-www-form-urlencoded undefined')
  })

  it('204 has no body; a body without end is cut off', async () => {
    const none = await site((_request, response) => void response.writeHead(204).end())
    expect((await outgoingFetch(['127.0.0.1'])(`http://127.0.0.1:${none.port}/`)).status).toBe(204)
    const endless = await site((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    })
    await expect(outgoingFetch(['127.0.0.1'])(`http://127.0.0.1:${endless.port}/`)).rejects.toThrow(RangeError)
  })

  it.each([
    ['never answers', () => undefined],
    ['never ends', (_request, response) => void response.writeHead(200).write('x')],
  ] satisfies [string, RequestListener][])('who %s is given up when the signal says so', async (_, handler) => {
    const here = await site(handler)
    const call = outgoingFetch(['127.0.0.1'])(`http://127.0.0.1:${here.port}/`, { signal: AbortSignal.timeout(100) })
    await expect(call).rejects.toMatchObject({ name: expect.stringMatching(/^(Abort|Timeout)Error$/) as unknown })
  })

  it.each(['file:///etc/passwd', 'data:,x', 'ftp://1.1.1.1/'])('%s is no address to call', async (address) => {
    await expect(outgoingFetch([])(address)).rejects.toThrow(TypeError)
  })
})
