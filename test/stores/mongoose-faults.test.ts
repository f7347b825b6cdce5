// What the driver passes on of its sockets is the store's failure, whatever class it has.
import { describe, expect, it } from '@jest/globals'
import { run } from '../../src/stores/mongoose/run.ts'

describe('faults of MongoDB', () => {
  it.each(['EPIPE', 'ECONNRESET', 'ETIMEDOUT'])('DB-8: %s is "unavailable"', async (code) => {
    const socket = Object.assign(new Error(`write ${code}`), { code })
    await expect(run(() => Promise.reject(socket))).rejects.toMatchObject({ name: 'Unavailable', code: 'unavailable' })
  })

  it('a mistake of ours shows as what it is', async () => {
    await expect(run(() => Promise.reject(new TypeError('ours')))).rejects.toBeInstanceOf(TypeError)
  })
})
