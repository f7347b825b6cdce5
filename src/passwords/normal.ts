// The form in which passwords are compared with words: capitals, widths and the usual look-alikes make no other password.

/** What people write for a letter (Entra's `0o 1l $s @a`, and the like). `1` stands for both i and l, so those are one. */
const looks: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'l',
  '!': 'l',
  '|': 'l',
  i: 'l',
  '3': 'e',
  '4': 'a',
  '@': 'a',
  '5': 's',
  $: 's',
  '7': 't',
  '+': 't',
}

/** Compatibility forms and case. Upper case first folds what lower case alone would keep apart. */
export const folded = (text: string): string => text.normalize('NFKC').toUpperCase().toLowerCase()

/** One character for each of a folded text, so that positions in both are the same. */
export const lookalike = (text: string): string => text.replace(/[013457!|i@$+]/g, (sign) => looks[sign] ?? sign)

export const normal = (text: string): string => lookalike(folded(text))
