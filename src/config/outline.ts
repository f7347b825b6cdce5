// The schema as plain data, for documentation and for "did you mean".
import * as z from 'zod'
import type { Path } from './source.ts'

const node = z.object({
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  items: z.object({ enum: z.array(z.unknown()).optional() }).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  required: z.array(z.string()).default([]),
  get properties() {
    return z.record(z.string(), node).optional()
  },
  get additionalProperties() {
    return z.union([z.boolean(), node]).optional()
  },
})

/** One option or section of the file. */
export type Outline = z.output<typeof node>

export const outlineOf = (schema: z.ZodType): Outline =>
  node.parse(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }))

/** The names that a section knows. */
export function optionsAt(outline: Outline, path: Path): string[] {
  const [step, ...rest] = path
  if (step === undefined) return Object.keys(outline.properties ?? {})
  const named = outline.properties?.[step]
  const next = named ?? (typeof outline.additionalProperties === 'object' ? outline.additionalProperties : undefined)
  return next ? optionsAt(next, rest) : []
}
