// What the shop tells after the provider sent the browser back: done, cancelled, or why not.
import * as client from 'openid-client'
import type { Goal } from './provider.ts'
import type { Notice } from './visits.ts'

const actions: Partial<Record<Goal, { done: string; cancelled: string }>> = {
  change_password: { done: 'Your password was changed.', cancelled: 'Your password was not changed.' },
  security_info_registration: {
    done: 'Your security info is set up.',
    cancelled: 'Your security info stayed as it was.',
  },
}

/**
 * What became of an action that the shop asked for. The claim of the ID token is believed, because it is signed; the
 * parameter of the same name in the address is not.
 */
export function returned(goal: Goal, status: unknown): Notice | undefined {
  const action = actions[goal]
  if (!action) return undefined
  return status === 'done'
    ? { outcome: 'done', text: action.done }
    : { outcome: typeof status === 'string' ? status : 'unknown', text: action.cancelled }
}

/** An error that came back for somebody who is signed in here, and stays so. */
export function cancelled(goal: Goal, { error, error_description: reason }: client.AuthorizationResponseError): Notice {
  const text = actions[goal]?.cancelled ?? 'Nothing was done.'
  if (error === 'access_denied') return { outcome: 'cancelled', text: `You cancelled. ${text}` }
  return { outcome: error, text: `${text} The provider answered ${error}${reason ? `: ${reason}` : ''}` }
}

/** Why nobody is signed in. */
export function failed(error: unknown): { title: string; text: string } {
  if (error instanceof client.AuthorizationResponseError) {
    const title = error.error === 'access_denied' ? 'The sign-in was cancelled.' : 'The provider did not sign you in.'
    return { title, text: `It answered ${error.error}${error.error_description ? `: ${error.error_description}` : ''}` }
  }
  return { title: 'The sign-in did not succeed.', text: 'What came back did not fit what was asked for.' }
}
