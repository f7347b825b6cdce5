// "Did you mean ...?": the known word closest to a mistyped one.

/** Levenshtein distance: how many letters have to be added, removed or changed. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, changed))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** Within a third of the longer word, letter case aside. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const typed = word.slice(0, 64).toLowerCase()
  const [best] = known
    .map((name) => ({ name, away: distance(typed, name.toLowerCase()) / Math.max(typed.length, name.length) }))
    .sort((a, b) => a.away - b.away)
  return best && best.away <= 0.4 ? best.name : undefined
}
