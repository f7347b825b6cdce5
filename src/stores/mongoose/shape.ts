// Documents on their way in and out: open values as text.
import type { Account, AuditEvent } from '../../domain/types.ts'
import { fromText, key, toText } from '../text.ts'
import type { AccountDocument, AuditDocument, StoredEvent } from './schemas.ts'

const eventIn = ({ detail, ...event }: AuditEvent): StoredEvent => ({
  ...event,
  ...(detail !== undefined && { detail: toText(detail) }),
})

const eventOut = ({ detail, ...event }: StoredEvent): AuditEvent => ({
  ...event,
  ...(detail !== undefined && { detail: fromText<Record<string, unknown>>(detail) }),
})

export function accountIn({ id, usernameKey, credentials, outbox, ...rest }: Account): AccountDocument {
  return {
    ...rest,
    _id: key(id),
    usernameKey: key(usernameKey),
    credentials: credentials.map(({ data, ...credential }) => ({
      ...credential,
      ...(data !== undefined && { data: toText(data) }),
    })),
    outbox: outbox.map(eventIn),
    ...(outbox.length > 0 && { outboxed: true }),
  }
}

export function accountOut({ _id, credentials, outbox, outboxed: _outboxed, ...rest }: AccountDocument): Account {
  return {
    ...rest,
    id: _id,
    credentials: credentials.map(({ data, ...credential }) => ({
      ...credential,
      data: data === undefined ? undefined : fromText<unknown>(data),
    })),
    outbox: outbox.map(eventOut),
  }
}

export const auditIn = (event: AuditEvent): AuditDocument => {
  const { id, ...rest } = eventIn(event)
  return { _id: key(id), ...rest }
}

export const auditOut = ({ _id, ...rest }: AuditDocument): AuditEvent => eventOut({ id: _id, ...rest })
