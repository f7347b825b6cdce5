// Flow records in MongoDB, saved by compare-and-set.
import type { FlowStore } from '../../domain/ports.ts'
import { DAY } from '../kept.ts'
import { key } from '../text.ts'
import type { FlowDocument, Models } from './schemas.ts'
import { inserted, replaced } from './write.ts'

export function flows({ flows: model }: Models): FlowStore {
  return {
    find: async (id) => {
      const found = await model.findById(key(id)).lean<FlowDocument>()
      if (!found) return undefined
      const { _id, removeAt: _removeAt, ...flow } = found
      return { id: _id, ...flow }
    },
    save: async ({ id, ...flow }, version) => {
      const document = { _id: key(id), ...flow, removeAt: new Date(flow.expiresAt + DAY) }
      return version === 0 ? inserted(model, document) : replaced(model, version, document)
    },
    remove: async (id) => {
      await model.deleteOne({ _id: key(id) })
    },
  }
}
