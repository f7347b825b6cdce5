// After all tests: ends the MongoDB that `setup.ts` started.
export default async function teardown(): Promise<void> {
  await globalThis.mongoOfThisRun?.stop()
}
