// An SMTP server in this process that keeps what it gets and can be told to refuse.
import { once } from 'node:events'
import { SMTPServer } from 'smtp-server'

export interface Received {
  from: string
  to: string[]
  raw: string
}

export interface MailServer {
  port: number
  received: Received[]
  connections(): number
  close(): Promise<void>
}

export interface Behaviour {
  port?: number
  /** Asks for this login. */
  login?: { user: string; pass: string }
  /** Recipients that do not exist here (550). */
  unknown?: readonly string[]
  /** Answers 451 to every mail. */
  later?: boolean
}

export async function mailServer({
  port = 0,
  login,
  unknown = [],
  later = false,
}: Behaviour = {}): Promise<MailServer> {
  const received: Received[] = []
  let connections = 0
  let closed: Promise<void> | undefined
  const refusal = (text: string, responseCode: number) => Object.assign(new Error(text), { responseCode })
  const server = new SMTPServer({
    disabledCommands: login ? ['STARTTLS'] : ['AUTH', 'STARTTLS'],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    // A client that keeps its connection for later does not hold up the end.
    closeTimeout: 100,
    onConnect(_session, done) {
      connections++
      done()
    },
    onAuth({ username, password }, _session, done) {
      if (username === login?.user && password === login?.pass) done(null, { user: username })
      else done(refusal('no such login', 535))
    },
    onRcptTo({ address }, _session, done) {
      done(unknown.includes(address) ? refusal(`no ${address} here`, 550) : null)
    },
    onData(stream, session, done) {
      let raw = ''
      stream.on('data', (chunk: Buffer) => {
        raw += chunk.toString('utf8')
      })
      stream.on('end', () => {
        if (later) return done(refusal('try later', 451))
        const from = session.envelope.mailFrom
        received.push({
          from: from ? from.address : '',
          to: session.envelope.rcptTo.map(({ address }) => address),
          raw,
        })
        done()
      })
    },
  })
  // A client that goes away in the middle is no failure of a test.
  server.on('error', () => undefined)
  const listening = server.listen(port, '127.0.0.1')
  await once(listening, 'listening')
  const address = listening.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    received,
    connections: () => connections,
    close: () => (closed ??= new Promise((resolve) => server.close(resolve))),
  }
}
