// Runs every verb of a part of a store through one function: the place where its errors are translated.

/** Runs one verb. May run it again when nothing was written. `name`: as it stands in the port. */
export type Run = <Result>(verb: () => Promise<Result>, name?: string) => Promise<Result>

type Verbs<Part> = { [Name in keyof Part]: (...input: never[]) => Promise<unknown> }

export function shield<Part extends Verbs<Part>>(run: Run, part: Part): Part {
  const shielded: Record<string, unknown> = {}
  for (const [name, verb] of Object.entries<(...input: never[]) => Promise<unknown>>(part)) {
    shielded[name] = (...input: never[]) => run(() => verb(...input), name)
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same names, each with its own signature
  return shielded as Part
}
