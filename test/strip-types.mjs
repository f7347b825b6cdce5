// Lets jest run the sources as they are: types are blanked out in place, so stacks point at the .ts lines.
import { stripTypeScriptTypes } from 'node:module'

export default { process: (source) => ({ code: stripTypeScriptTypes(source) }) }
