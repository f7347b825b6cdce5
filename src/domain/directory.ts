// A host's directory as the product sees it: one that fails is a 503, never "nobody there" (EN-5).
import type { Directory } from './ports.ts'
import { Unavailable } from './problems.ts'

/** Whatever a directory throws becomes `Unavailable`, unless it is that already and says when to come back. */
export function guardedDirectory(directory: Directory): Directory {
  const ask = async <Answer>(question: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await question()
    } catch (error) {
      if (error instanceof Unavailable) throw error
      throw new Unavailable('unavailable', 'the directory cannot be asked', { cause: error })
    }
  }
  const { setPassword, unlock } = directory
  return {
    findByUsername: (username) => ask(() => directory.findByUsername(username)),
    find: (id) => ask(() => directory.find(id)),
    verify: (id, password) => ask(() => directory.verify(id, password)),
    ...(setPassword && { setPassword: (id, password) => ask(() => setPassword.call(directory, id, password)) }),
    ...(unlock && { unlock: (id) => ask(() => unlock.call(directory, id)) }),
  }
}
