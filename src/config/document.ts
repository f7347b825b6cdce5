// Writes config/default.yaml from the schema: every option with its sentence, range and default.
import { stringify } from 'yaml'
import { configSchema } from '../config.ts'
import type { MethodTraits } from '../domain/policy.ts'
import { type Outline, outlineOf } from './outline.ts'

/** What stands for options that have no default. */
const examples: Record<string, unknown> = {
  issuer: 'https://login.example.org',
  'registration.grace.until': '2027-01-31',
  'password.breached': 'https://api.pwnedpasswords.com/range',
  helpdesk: 'https://help.example.org',
  'mail.url': '${SMTP_URL}',
  'mail.from': 'Example sign-in <no-reply@example.org>',
  'service.name': 'Example sign-in',
  views: './views',
}

const WIDTH = 110

function comment(text: string, indent: string): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && `${last} ${word}`.length + indent.length <= WIDTH)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(`${indent}# ${word}`)
  }
  return lines.join('\n')
}

function range(node: Outline): string {
  const values = node.enum ?? node.items?.enum
  if (values) return ` [${values.join(', ')}]`
  if (node.minimum !== undefined) return ` [${node.minimum}..${node.maximum}]`
  return ''
}

const value = (of: unknown): string =>
  stringify(of, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim()

function write(node: Outline, path: string, indent: string): string {
  const { properties = {}, required } = node
  return Object.entries(properties)
    .map(([name, option]) => {
      const here = path ? `${path}.${name}` : name
      const lead = comment(`${option.description ?? ''}${range(option)}`, indent)
      if (option.properties) return `${lead}\n${indent}${name}:\n${write(option, here, `${indent}  `)}`
      if (typeof option.additionalProperties === 'object' && option.default !== undefined) {
        return `${lead}\n${indent}${name}: {}\n${clients(option.additionalProperties)}`
      }
      if (option.default !== undefined) return `${lead}\n${indent}${name}: ${value(option.default)}`
      const mark = required.includes(name) ? '' : '# '
      return `${lead}${mark ? '' : ' Required.'}\n${indent}${mark}${name}: ${value(examples[here])}`
    })
    .join(path ? '\n' : '\n\n')
}

function clients({ properties = {} }: Outline): string {
  return [
    '#  my-app:',
    comment(properties['metadata']?.description ?? '', '#    '),
    '#    metadata:',
    '#      client_secret: ${MY_APP_SECRET}',
    '#      redirect_uris: [https://app.example.org/cb]',
    comment(properties['firstParty']?.description ?? '', '#    '),
    `#    firstParty: ${value(properties['firstParty']?.default)}`,
    comment(properties['prompts']?.description ?? '', '#    '),
    '#    prompts: [change_password]',
  ].join('\n')
}

/** The text of `config/default.yaml`. */
export function document(methods: readonly MethodTraits[]): string {
  const outline = outlineOf(configSchema(methods))
  return `# Every option with its default. Generated from src/config.ts by "npm run docs": change it there.
# A file of yours needs only what differs, and the options marked "Required". \${NAME} is taken from the environment.
# Keys that seal data come from the environment only: SELF_SERVICE_KEYS, base64 of 32 bytes each, comma-separated;
# the first seals, all open. Make one with: openssl rand -base64 32

${write(outline, '', '')}
`
}
