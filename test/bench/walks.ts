// The walks that are measured, page by page, each request by its name.
import { totpCode } from '../authenticator.ts'
import { type Answer, expected, stepOf, type Visitor } from './client.ts'
import { PASSWORD, type Person } from './people.ts'
import { authorize, CALLBACK } from './site.ts'

/** Wraps every request of a walk: measures it, counts it, or just makes it. */
export type Around = (name: string, request: () => Promise<Answer>) => Promise<Answer>

export const plainly: Around = (_name, request) => request()

/** One name for the same thing on both sides, so that rows can be compared. */
export const pages = {
  authorization: 'authorization request',
  first: 'first page',
  password: 'form: name and password',
  second: 'second page',
  code: 'form: second step',
  resume: 'back to the relying party',
} as const

const at = (answer: Answer, what: string): string => expected(answer, 303, what).location

function home(answer: Answer): Answer {
  if (!answer.location.startsWith(CALLBACK) || !answer.location.includes('code=')) {
    throw new Error(`no code for the relying party: ${answer.status} ${answer.location}`)
  }
  return answer
}

/** The page with the password form. */
export interface Opened {
  path: string
  step: string
}

export async function openSignIn(visitor: Visitor, around: Around = plainly): Promise<Opened> {
  const path = at(await around(pages.authorization, () => visitor.get(authorize)), 'authorization request')
  const page = expected(await around(pages.first, () => visitor.get(path)), 200, 'sign-in page')
  return { path, step: stepOf(page.body) }
}

export const passwordForm = ({ username }: Person, step: string): Record<string, string> => ({
  step,
  username,
  password: PASSWORD,
  action: 'continue',
})

/** Password, code of the authenticator app, back at the relying party: six requests. Answers the callback's address. */
export async function signIn(
  visitor: Visitor,
  person: Person,
  around: Around = plainly,
  now: () => number = Date.now,
): Promise<string> {
  const { path, step } = await openSignIn(visitor, around)
  at(await around(pages.password, () => visitor.post(path, passwordForm(person, step))), 'password')
  const page = expected(await around(pages.second, () => visitor.get(path)), 200, 'page of the second factor')
  const form = { step: stepOf(page.body), code: totpCode(person.secret, now()), action: 'continue' }
  const on = at(await around(pages.code, () => visitor.post(path, form)), 'code')
  return home(await around(pages.resume, () => visitor.get(on))).location
}

/** The development interactions: login and consent. They need one more request, which the sum holds. */
export async function bareSignIn(visitor: Visitor, around: Around = plainly): Promise<void> {
  const path = at(await around(pages.authorization, () => visitor.get(authorize)), 'authorization request')
  expected(await around(pages.first, () => visitor.get(path)), 200, 'login page')
  const login = { prompt: 'login', login: 'somebody', password: PASSWORD }
  const resume = at(await around(pages.password, () => visitor.post(path, login)), 'login')
  const next = at(await around('between login and consent', () => visitor.get(resume)), 'resume')
  expected(await around(pages.second, () => visitor.get(next)), 200, 'consent page')
  const on = at(await around(pages.code, () => visitor.post(next, { prompt: 'consent' })), 'consent')
  home(await around(pages.resume, () => visitor.get(on)))
}

/** As chosen in every reset that is measured. */
export const NEW_PASSWORD = 'quiet-otter-57-lamp'

/** The second gate of a reset. */
export type SecondGate = { method: 'email'; code: () => Promise<string> } | { method: 'recovery-codes' }

/** A reset up to the form of the new password, which is answered with `save`: the last step, to be made when it is time. */
export async function resetToTheEnd(
  visitor: Visitor,
  person: Person,
  gate: SecondGate,
  around: Around = plainly,
  now: () => number = Date.now,
): Promise<{ save: () => Promise<void>; leave: () => Promise<void> }> {
  const { path, step } = await openSignIn(visitor, around)
  const look = async (name: string): Promise<string> =>
    expected(await around(name, () => visitor.get(path)), 200, name).body
  const put = async (name: string, page: string, fields: Record<string, string>): Promise<string> => {
    const form = { step: stepOf(page), ...fields }
    return at(await around(`form: ${name}`, () => visitor.post(path, form)), name)
  }
  at(await around('form: forgot', () => visitor.post(path, { step, action: 'forgot' })), 'forgot')
  await put('name', await look('name'), { username: person.username, action: 'continue' })
  await put('first method', await look('methods'), { method: 'totp' })
  await put('first gate', await look('first gate'), { code: totpCode(person.secret, now()), action: 'continue' })
  await put('second method', await look('methods left'), { method: gate.method })
  const second = await look('second gate')
  const code = gate.method === 'email' ? await gate.code() : person.recoveryCode
  await put('second gate', second, { code, action: 'continue' })
  const chosen = { new_password: NEW_PASSWORD, confirm_password: NEW_PASSWORD, action: 'continue' }
  const page = await look('new password')
  return {
    save: async () => void (await put('new password', page, chosen)),
    leave: async () => void (await put('changed', await look('changed'), { action: 'continue' })),
  }
}

/** Two gates, a new password, back at the sign-in page. */
export async function reset(...walk: Parameters<typeof resetToTheEnd>): Promise<void> {
  const { save, leave } = await resetToTheEnd(...walk)
  await save()
  await leave()
}

const CHANGED_PASSWORD = 'another-horse-of-9,000-miles'

/** In a session whose second factor was proven a moment ago: the present password, a new one, back at our own page. */
export async function change(visitor: Visitor, around: Around): Promise<void> {
  const start = at(await around('change password', () => visitor.get('/change-password')), 'change password')
  const path = at(await around(pages.authorization, () => visitor.get(start)), pages.authorization)
  const look = async (name: string): Promise<string> =>
    expected(await around(name, () => visitor.get(path)), 200, name).body
  const put = async (name: string, page: string, fields: Record<string, string>): Promise<string> => {
    const form = { step: stepOf(page), action: 'continue', ...fields }
    return at(await around(`form: ${name}`, () => visitor.post(path, form)), name)
  }
  await put('present password', await look('present password'), { password: PASSWORD })
  const chosen = { new_password: CHANGED_PASSWORD, confirm_password: CHANGED_PASSWORD }
  const on = await put('new password', await look('new password'), chosen)
  at(await around(pages.resume, () => visitor.get(on)), pages.resume)
}

/** The whole forced registration: trust gate by a mailed code, authenticator app, recovery codes, finished page. */
export async function register(
  visitor: Visitor,
  person: Person,
  with_: { mailedCode: () => Promise<string>; now: () => number },
  around: Around,
): Promise<void> {
  const { path, step } = await openSignIn(visitor, around)
  at(await around(pages.password, () => visitor.post(path, passwordForm(person, step))), 'password')
  const look = async (name: string): Promise<string> =>
    expected(await around(name, () => visitor.get(path)), 200, name).body
  const put = async (name: string, page: string, fields: Record<string, string>): Promise<string> => {
    const form = { step: stepOf(page), action: 'continue', ...fields }
    return at(await around(`form: ${name}`, () => visitor.post(path, form)), name)
  }
  await put('more information', await look('more information'), {})
  await put('mailed code', await look('mailed code'), { code: await with_.mailedCode() })
  const app = await look('authenticator app')
  const secret = /data-secret[^>]*>([^<]+)</.exec(app)?.[1]?.replace(/\s/g, '') ?? ''
  await put('authenticator app', app, { code: totpCode(secret, with_.now()) })
  await put('recovery codes', await look('recovery codes'), { acknowledged: 'yes' })
  const on = await put('finished', await look('finished'), {})
  home(await around(pages.resume, () => visitor.get(on)))
}
