// How a person walks through the pages: by what is written on them and the buttons that they press.
import type { Page } from 'playwright-core'
import { totpCode } from '../authenticator.ts'
import { passwordOf } from '../world.ts'
import type { Site } from './site.ts'

/** `data-page`, with the method where there is one: "prove:totp"; a problem follows: "sign-in!wrong_password". */
export async function where(page: Page): Promise<string> {
  const { name, method, problem } = await page.locator('main').evaluate(({ dataset }) => ({
    name: dataset['page'],
    method: dataset['method'],
    problem: dataset['problem'],
  }))
  return `${name}${method === undefined ? '' : `:${method}`}${problem === undefined ? '' : `!${problem}`}`
}

/** Once the field that is to have the focus has it: with the first frame, after `load`. Keys before that get ahead of it. */
export async function rested(page: Page): Promise<void> {
  if ((await page.locator('[autofocus]').count()) > 0) await page.locator('[autofocus]:focus').waitFor()
}

/** Presses the button of an action; the page that answers is loaded afterwards. */
export async function press(page: Page, action = 'continue'): Promise<void> {
  await Promise.all([
    page.waitForNavigation({ waitUntil: 'load' }),
    page.locator(`main button[name=action][value=${action}]`).click(),
  ])
  await rested(page)
}

/** Enter, where the focus is. */
export async function enter(page: Page): Promise<void> {
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')])
  await rested(page)
}

export const secretOn = async (page: Page): Promise<string> =>
  (await page.locator('[data-secret]').innerText()).replace(/\s/g, '')

/** The steps of a first sign-in, in order, and what a person does at each. The last one leaves for the relying party. */
export const steps = [
  'sign-in',
  'registration',
  'prove:email',
  'enrol:totp',
  'enrol:recovery-codes',
  'registered',
] as const
export type StepName = (typeof steps)[number]

export interface Person {
  username: string
  /** Of the authenticator app, once there is one. */
  secret: string
}

/** Fills in what the page asks for, and presses nothing. */
export async function fillIn(page: Page, step: StepName, { world }: Site, person: Person): Promise<void> {
  const { username } = person
  switch (step) {
    case 'sign-in':
      await page.getByLabel(/User name|使用者名稱/).fill(username)
      await page.locator('#password').fill(passwordOf(username))
      break
    case 'prove:email':
      await page.locator('#code').fill(await world.code(`${username}@example.org`))
      break
    case 'enrol:totp':
      person.secret = await secretOn(page)
      await page.locator('#code').fill(totpCode(person.secret, world.clock.now()))
      break
    case 'enrol:recovery-codes':
      await page.locator('#acknowledged').check()
      break
    case 'registration':
    case 'registered':
      break
  }
}

/** From where the page stands to the step named, or to the relying party. */
export async function walkTo(page: Page, goal: StepName | 'party', here: Site, person: Person): Promise<void> {
  for (const step of steps) {
    const now = await where(page)
    if (now === goal) return
    if (now !== step) continue
    await fillIn(page, step, here, person)
    await press(page)
  }
  const now = await where(page)
  if (now !== goal) throw new Error(`wanted ${goal}, is at ${now}`)
}
