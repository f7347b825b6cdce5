// The documents, as mongoose schemas. A field that a type gains must be added here: the compiler and `strict` say so.
import { type Connection, type Model, Schema, type SchemaDefinitionProperty } from 'mongoose'
import type { MailJob, ProviderRow } from '../../domain/ports.ts'
import type { Account, AuditEvent, Credential, Evidence, FlowRecord, Grace, Step } from '../../domain/types.ts'
import type { Kept } from '../kept.ts'

/** Open values are JSON text (`text.ts` says why). */
type TextIn<Type, Open extends keyof Type> = Omit<Type, Open> & { [Name in Open]?: string }
type Document<Type extends { id: string }> = Omit<Type, 'id'> & { _id: string }

export type StoredEvent = TextIn<AuditEvent, 'detail'>
export type StoredCredential = TextIn<Credential, 'data'>
export interface AccountDocument extends Omit<Document<Account>, 'credentials' | 'outbox'> {
  credentials: StoredCredential[]
  outbox: StoredEvent[]
  /** The outbox holds something: an index finds the few accounts of which that is true. */
  outboxed?: true
}
export type FlowDocument = Document<FlowRecord> & { removeAt: Date }
export interface BudgetDocument extends Kept {
  _id: string
  mattersUntil: number
  removeAt?: Date
}
export interface ClaimDocument {
  _id: string
  value: string
  removeAt?: Date
}
export type AuditDocument = Document<StoredEvent>
export type MailDocument = Document<MailJob> & { removeAt: Date }
export interface RowDocument extends TextIn<ProviderRow, 'payload'> {
  _id: string
  model: string
  consumed?: number
  removeAt?: Date
}

/** Every field of a document, so that a forgotten one does not compile. */
type Fields<Type> = { [Name in keyof Required<Type>]: SchemaDefinitionProperty }

const strict = { strict: 'throw', strictQuery: 'throw', minimize: false, versionKey: false, id: false } as const
const part = <Type>(fields: Fields<Type>): Schema => new Schema(fields, { ...strict, _id: false })
const document = <Type>(fields: Fields<Type>): Schema => new Schema(fields, strict)
/** Without a default: what is absent stays absent. */
const list = (of: unknown): SchemaDefinitionProperty => ({ type: [of], default: undefined }) as SchemaDefinitionProperty

const eventFields: Fields<Omit<StoredEvent, 'id'>> = {
  kind: String,
  outcome: String,
  at: Number,
  reason: String,
  accountId: String,
  actor: String,
  address: String,
  browser: String,
  client: String,
  interaction: String,
  detail: String,
}

const credential = part<StoredCredential>({
  id: String,
  method: String,
  label: String,
  addedAt: Number,
  lastUsedAt: Number,
  disabled: Boolean,
  data: String,
})

const evidence = part<Evidence>({
  kind: String,
  method: String,
  credential: String,
  destination: String,
  amr: list(String),
  counted: list(String),
  turn: Number,
  at: Number,
})

const account = document<AccountDocument>({
  _id: String,
  version: Number,
  username: String,
  usernameKey: String,
  name: String,
  email: String,
  emailVerified: Boolean,
  groups: list(String),
  disabled: Boolean,
  epoch: Number,
  password: part<NonNullable<Account['password']>>({ hash: String, changedAt: Number, mustChange: String }),
  credentials: list(credential),
  grace: part<Grace>({ skips: Number, coveredUntil: Number, snoozedUntil: Number }),
  spent: part<NonNullable<Account['spent']>>({ tag: String, at: Number, evidence }),
  activation: part<NonNullable<Account['activation']>>({ until: Number }),
  frozen: part<NonNullable<Account['frozen']>>({ at: Number }),
  language: String,
  browsers: list(String),
  outbox: list(part<StoredEvent>({ id: String, ...eventFields })),
  addedAt: Number,
  outboxed: Boolean,
})

const step = part<Step>({ requirement: String, method: String, credential: String, sealed: String, choosing: Boolean })

const flow = document<FlowDocument>({
  _id: String,
  version: Number,
  journey: String,
  accountId: String,
  named: String,
  goal: String,
  epoch: Number,
  turn: Number,
  evidence: list(evidence),
  step,
  startedAt: Number,
  expiresAt: Number,
  removeAt: Date,
})

const budget = document<BudgetDocument>({
  _id: String,
  hits: list(part<Kept['hits'][number]>({ at: Number, id: String })),
  row: list(String),
  inRow: Number,
  lastAt: Number,
  mattersUntil: Number,
  removeAt: Date,
})

const claim = document<ClaimDocument>({ _id: String, value: String, removeAt: Date })

const audit = document<AuditDocument>({ _id: String, ...eventFields })

const mail = document<MailDocument>({
  _id: String,
  sealed: String,
  dueAt: Number,
  expiresAt: Number,
  attempts: Number,
  removeAt: Date,
})

const row = document<RowDocument>({
  _id: String,
  model: String,
  payload: String,
  accountId: String,
  grantId: String,
  uid: String,
  userCode: String,
  stamp: Number,
  consumed: Number,
  expiresAt: Number,
  removeAt: Date,
})

/** The models of one connection. Collections carry a prefix: the database may be the host's own. */
export function models(connection: Connection) {
  const model = <Type>(name: string, schema: Schema): Model<Type> =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the fields were checked against the type above
    connection.model(name, schema, `self_service_${name}`) as unknown as Model<Type>
  return {
    accounts: model<AccountDocument>('accounts', account),
    flows: model<FlowDocument>('flows', flow),
    budgets: model<BudgetDocument>('budgets', budget),
    claims: model<ClaimDocument>('claims', claim),
    audit: model<AuditDocument>('audit', audit),
    mails: model<MailDocument>('mails', mail),
    logouts: model<MailDocument>('logouts', mail),
    rows: model<RowDocument>('rows', row),
  }
}

export type Models = ReturnType<typeof models>
