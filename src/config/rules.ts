// What one option alone cannot show: options that contradict each other, and addresses that are not safe.
import { statSync } from 'node:fs'
import type { Config } from '../config.ts'
import { type MethodTraits, opensReset, type Policy } from '../domain/policy.ts'
import type { Path } from './source.ts'

/** `@found` stands for the value in the file. */
export interface Broken {
  path: Path
  sentence: string
}

const broken = (path: string, sentence: string): Broken => ({ path: path.split('.'), sentence })

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host.endsWith('.localhost') || /^127(\.\d{1,3}){3}$/.test(host) || /^\[?::1\]?$/.test(host)

const urlOf = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined)

export function issuerRules(issuer: string): Broken[] {
  const url = urlOf(issuer)
  const one = (sentence: string) => [broken('issuer', sentence)]
  if (!url || !/^https?:\/\//.test(issuer)) return one('must be an https address@found: write https://...')
  if (url.search || url.hash || /[?#]/.test(issuer)) return one('must have no query and no fragment@found: remove it')
  if (url.username || url.password) return one('must hold no user name and no password: remove them')
  if (issuer.endsWith('/')) return one('must not end in a slash@found: remove the slash')
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return one('must be https unless its host is localhost@found: write https://...')
  }
  return []
}

/** What makes a MongoDB connection unsafe for decisions: a lost write or a stale read would undo a password change. */
function mongoRules(store: string): string | undefined {
  const match = /^mongodb(?:\+srv)?:\/\/(?:[^/?]*@)?[^/?@]+(?:\/([^?]*))?(?:\?(.*))?$/.exec(store)
  if (!match) return 'must be a MongoDB address: write mongodb://host/database'
  if (!match[1]) return 'must name the database: write mongodb://host/database'
  const options = new Map([...new URLSearchParams(match[2] ?? '')].map(([name, value]) => [name.toLowerCase(), value]))
  const w = options.get('w')
  if (w !== undefined && w !== 'majority') return 'must write to a majority: remove w from the address'
  const journal = options.get('journal') ?? options.get('j')
  if (journal === 'false') return 'must write to the journal: remove journal=false from the address'
  const preference = options.get('readpreference')
  if (preference !== undefined && preference !== 'primary') {
    return 'must read from the primary: remove readPreference from the address'
  }
  return undefined
}

export function storeRules(store: string): Broken[] {
  const one = (sentence: string) => [broken('store', sentence)]
  if (/^mongodb(\+srv)?:/.test(store)) {
    const wrong = mongoRules(store)
    return wrong ? one(wrong) : []
  }
  if (!store.startsWith('sqlite:'))
    return one('must begin with mongodb://, mongodb+srv:// or sqlite: : name a database')
  const file = store.slice('sqlite:'.length)
  if (!file) return one('must name a file: write sqlite:./data/self-service.db')
  if (file.includes(':memory:'))
    return one('must name a file, because memory forgets: write sqlite:./data/self-service.db')
  return []
}

function mailRules(config: Config): Broken[] {
  const { url } = config.mail
  if (url === 'outbox:' || url.startsWith('outbox:')) {
    const issuer = urlOf(config.issuer)
    if (issuer && !isLoopback(issuer.hostname)) {
      return [
        broken(
          'mail.url',
          'must not be outbox: when the issuer is public, because anybody could read the mails: name a mail server',
        ),
      ]
    }
    if (!isLoopback(config.listen.host)) {
      return [
        broken(
          'mail.url',
          'must not be outbox: when listen.host is no loopback address: listen on 127.0.0.1, or name a mail server',
        ),
      ]
    }
    return []
  }
  if (!/^smtps?:\/\/./.test(url) || !urlOf(url)?.hostname) {
    return [broken('mail.url', 'must be smtp://host:port, smtps://host:port or outbox: : name a mail server')]
  }
  return []
}

function clientRules(clients: Config['clients']): Broken[] {
  return Object.entries(clients).flatMap(([id, { metadata }]): Broken[] => {
    const path = ['clients', id, 'metadata']
    const secret = metadata['client_secret']
    const list: Broken[] = []
    if (id === 'self-service') {
      list.push({
        path: ['clients', id],
        sentence: 'must have another name, because the built-in client has it: rename it',
      })
    }
    if (metadata['client_id'] !== undefined && metadata['client_id'] !== id) {
      list.push({ path: [...path, 'client_id'], sentence: `must be ${id}, the name of its section: remove it` })
    }
    if (
      secret !== undefined &&
      (typeof secret !== 'string' || secret.length < 16 || /^change|example|secret/i.test(secret))
    ) {
      list.push({
        path: [...path, 'client_secret'],
        sentence: 'must be a random text of at least 16 characters: make one with "openssl rand -base64 32"',
      })
    }
    return list
  })
}

/** Five characters of a hash are little, but together with time and address they are still nobody else's business. */
function rangeRules(address: string): string | undefined {
  const url = urlOf(address)
  if (!url || !/^https?:\/\//.test(address)) return 'must be an https address@found: write https://...'
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) return 'must be https@found: write https://...'
  if (url.search || url.hash || url.username || url.password) {
    return 'must be an address without name, password, query and fragment: remove them'
  }
  return undefined
}

export function policyRules(policy: Policy, methods: readonly MethodTraits[]): Broken[] {
  const { registration, mfa, reset, password, admins } = policy
  const list: Broken[] = []
  for (const [name, part] of Object.entries({ registration, reset })) {
    if (part.scope === 'selected' && part.groups.length === 0) {
      list.push(broken(`${name}.groups`, `must name at least one group when ${name}.scope is selected: add one`))
    }
  }
  const standalone = methods.filter((method) => method.standalone && method.serves.includes('second-factor'))
  if (!standalone.some((method) => mfa.methods.includes(method.id))) {
    const ids = standalone.map((method) => method.id)
    list.push(
      broken('mfa.methods', `must hold a method that can stand alone as second factor: add ${ids.join(' or ')}`),
    )
  }
  for (const [name, part] of Object.entries({ mfa, reset })) {
    const twice = part.methods.find((id, index) => part.methods.indexOf(id) !== index)
    if (twice !== undefined) list.push(broken(`${name}.methods`, `names ${twice} twice: name it once`))
  }
  const wrong = password.breached === undefined ? undefined : rangeRules(password.breached)
  if (wrong) list.push(broken('password.breached', wrong))
  const gates = reset.scope === 'none' ? 0 : reset.gates
  const wanted = admins.groups.length > 0 ? 2 : gates
  if (wanted === 1 && !opensReset(methods, policy, reset.methods, wanted)) {
    const sentence = 'must hold a method that is no second factor, or 2 independent ones, because reset.gates is 1'
    list.push(broken('reset.methods', `${sentence}: add a method`))
  } else if (!opensReset(methods, policy, reset.methods, wanted)) {
    const why = gates === 2 ? 'reset.gates is 2' : 'administrators always need two'
    list.push(broken('reset.methods', `must hold ${wanted} independent methods, because ${why}: add a method`))
  }
  return list
}

export function serverRules(config: Config): Broken[] {
  const list = [
    ...issuerRules(config.issuer),
    ...storeRules(config.store),
    ...mailRules(config),
    ...clientRules(config.clients),
  ]
  if (config.session.idle > config.session.absolute) {
    list.push(broken('session.idle', 'must not be longer than session.absolute@found: shorten it'))
  }
  if (config.views !== undefined && !statSync(config.views, { throwIfNoEntry: false })?.isDirectory()) {
    list.push(broken('views', 'must be a folder that exists@found: make it, or remove the line'))
  }
  return list
}

/** Allowed, but to be looked at: logged at every start (CF-3). */
export function cautions(config: Config & { policy: Policy }): Broken[] {
  const list: Broken[] = []
  if (config.policy.registration.trustGate === 'dangerouslyNone') {
    list.push(
      broken('registration.trustGate', 'is dangerouslyNone: whoever has a password can bind the first second factor'),
    )
  }
  if (config.mail.url.startsWith('outbox:')) {
    list.push(broken('mail.url', 'is outbox: mails are not sent but shown to whoever opens /dev/outbox here'))
  }
  if (config.issuer.startsWith('https:') && config.proxy.hops === 0) {
    list.push(broken('proxy.hops', 'is 0 although the issuer is https: behind a proxy, say how many there are'))
  }
  return list
}
