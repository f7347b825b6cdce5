// Rows of an import: three formats, told apart by themselves, each row with its line.
import { Readable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { type Found, rowsOf } from '../../src/cli/rows.ts'

const columns = ['username', 'email', 'emailVerified', 'name', 'groups', 'passwordHash', 'totp', 'disabled']

/** In pieces of every size that could cut a row apart. */
async function rows(text: string, size = 7): Promise<Found[]> {
  const bytes = Buffer.from(text)
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  )
  const found: Found[] = []
  for await (const row of rowsOf(Readable.from(pieces, { objectMode: false }), columns)) found.push(row)
  return found
}

describe('JSON', () => {
  const array =
    '[\n  {"username": "a", "name": "x, ]}\\" \\\\"},\n  {"username":\n "b", "groups": ["g", {"h": 1}]}\n]\n'

  it.each([1, 2, 3, 7, 1000])('reads an array in pieces of %d bytes', async (size) => {
    expect(await rows(array, size)).toEqual([
      { line: 2, row: { username: 'a', name: 'x, ]}" \\' } },
      { line: 3, row: { username: 'b', groups: ['g', { h: 1 }] } },
    ])
  })

  it('refuses single elements of an array and keeps the others', async () => {
    expect(await rows('[{"username":"a"},\n{"username" "s3cret"},\n7,\n{"username":"b"}]')).toEqual([
      { line: 1, row: { username: 'a' } },
      { line: 2, wrong: 'this is no valid JSON' },
      { line: 3, wrong: 'a row must be an object' },
      { line: 4, row: { username: 'b' } },
    ])
  })

  it('says when an array never ends, and when something follows it', async () => {
    expect(await rows('[{"username":"a"},\n{"username":')).toEqual([
      { line: 1, row: { username: 'a' } },
      { line: 2, wrong: 'this is no valid JSON' },
    ])
    expect(await rows('[{"username":"a"}]')).toHaveLength(1)
    expect(await rows('[{"username":"a"},\n')).toHaveLength(2)
    expect(await rows('[{"username":"a"}]\n{"username":"b"}')).toContainEqual({
      line: 2,
      wrong: 'this is no valid JSON',
    })
    expect(await rows('[]')).toEqual([])
  })

  it('reads JSON lines, and a broken line breaks no other', async () => {
    expect(await rows('\uFEFF{"username":"a"}\r\n\n{"username":"é\n{"username":"b"}\n[]\n{"username":"c"}')).toEqual([
      { line: 1, row: { username: 'a' } },
      { line: 3, wrong: 'this is no valid JSON' },
      { line: 4, row: { username: 'b' } },
      { line: 5, wrong: 'a row must be an object' },
      { line: 6, row: { username: 'c' } },
    ])
  })

  it('keeps a prototype out', async () => {
    const [found] = await rows('{"__proto__": {"username": "a"}}\n')
    expect(Object.keys(found && 'row' in found ? found.row : {})).toEqual(['__proto__'])
  })
})

describe('CSV', () => {
  it('reads cells as fields, empty ones as absent', async () => {
    const text = [
      '\uFEFFusername,email,emailVerified,groups,totp,disabled',
      'a,a@b.example,TRUE,staff; admins,JBSWY3DPEHPK3PXP,',
      '"b, the ""second""",,no,,"[{""secret"":""X"",""label"":""Phone""}]",maybe',
      'c',
      '',
      '"d',
    ].join('\r\n')
    expect(await rows(text)).toEqual([
      {
        line: 2,
        row: {
          username: 'a',
          email: 'a@b.example',
          emailVerified: true,
          groups: ['staff', ' admins'],
          totp: { secret: 'JBSWY3DPEHPK3PXP' },
        },
      },
      {
        line: 3,
        row: {
          username: 'b, the "second"',
          emailVerified: false,
          totp: [{ secret: 'X', label: 'Phone' }],
          disabled: 'maybe',
        },
      },
      { line: 4, wrong: 'has 1 cells, but the header has 6' },
      { line: expect.any(Number), wrong: expect.stringContaining('is no valid CSV') },
    ])
  })

  it.each([
    [
      'usrname,email',
      'line 1: "usrname" is no field: did you mean username?\nline 1: the column username is missing: add it',
    ],
    ['username,username', 'line 1: username stands there twice: keep one'],
  ])('refuses the header %s', async (header, sentence) => {
    await expect(rows(`${header}\na,b\n`)).rejects.toThrow(sentence)
  })

  it('an empty file has no rows', async () => {
    expect(await rows(' \n')).toEqual([])
  })
})
