// Budgets in SQLite: one immediate transaction around the pure rule of `domain/budget.ts`.
import type Database from 'better-sqlite3'
import { type Admission, admission, type Budget } from '../../domain/budget.ts'
import type { BudgetStore } from '../../domain/ports.ts'
import type { Time } from '../../domain/types.ts'
import { afterHit, afterRefund, afterSuccess, type Kept, mattersUntil, nothing, removableAt } from '../kept.ts'
import { fromText, key, toText } from '../text.ts'

export function budgets(db: Database.Database): BudgetStore {
  const find = db.prepare<[string], { body: string }>('SELECT body FROM budgets WHERE key = ?')
  const save = db.prepare<[string, number, number, number | null, string]>(
    `INSERT INTO budgets (key, in_row, matters_until, remove_at, body) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET in_row = excluded.in_row, matters_until = max(matters_until, excluded.matters_until),
       remove_at = max(coalesce(remove_at, excluded.remove_at), excluded.remove_at), body = excluded.body`,
  )
  const change = db.prepare<[number, string, string]>('UPDATE budgets SET in_row = ?, body = ? WHERE key = ?')
  const clear = db.prepare<[string]>('DELETE FROM budgets WHERE key = ?')
  const read = (name: string): Kept | undefined => {
    const row = find.get(name)
    return row && fromText<Kept>(row.body)
  }

  const admit = db.transaction((name: string, budget: Budget, at: Time, hit: string): Admission => {
    const kept = read(name) ?? nothing
    const answer = admission(kept, budget, at, hit)
    if (!answer.admitted) return answer
    const next = afterHit(kept, budget, { at, id: hit })
    save.run(name, next.inRow, mattersUntil(budget, at), removableAt(budget, at) ?? null, toText(next))
    return answer
  })
  const adjust = db.transaction((name: string, hit: string, rule: typeof afterRefund): void => {
    const kept = read(name)
    if (!kept) return
    const next = rule(kept, hit)
    change.run(next.inRow, toText(next), name)
  })

  return {
    admit: async (name, budget, at, hit) => admit.immediate(key(name), budget, at, key(hit)),
    refund: async (name, hit) => adjust.immediate(key(name), key(hit), afterRefund),
    settle: async (name, hit) => adjust.immediate(key(name), key(hit), afterSuccess),
    clear: async (name) => {
      clear.run(key(name))
    },
  }
}
