// Nothing but oidc-provider: what start-up is compared with. It is copied beside the compiled product and runs there.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const { issuer, port, jwks, cookies, metadata } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const provider = new Provider(issuer, { clients: [{ client_id: 'rp', ...metadata }], jwks, cookies: { keys: cookies } })
const answer = provider.callback()
createServer((request, response) => void answer(request, response)).listen(port, '127.0.0.1')
