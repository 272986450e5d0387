/** Writing synchronous executions behind the answer: many rows, one transaction. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ExecutionStatus, isTerminal } from '@gantry/contracts';
import { type Kysely, sql } from 'kysely';
import type { Execution } from '../ports.js';
import type { ExecutionRow, Tables } from '../schema.js';
import { isUnfinished, toExecutionRow } from './execution-rows.js';

interface Recorded {
  readonly execution: Execution;
  readonly logs: string;
}

/**
 * Some milliseconds of work for libsql, which holds up the process meanwhile; and 27 columns each stay far below the
 * parameters that a statement may have (32766 in SQLite, 65535 in PostgreSQL).
 */
const rowsPerStatement = 100;

export async function recordExecutions(db: Kysely<Tables>, recorded: readonly Recorded[]): Promise<void> {
  const rows = lastWordOf(recorded);
  if (rows.length === 0) return;
  await db.transaction().execute(async (transaction) => {
    for (let at = 0; at < rows.length; at += rowsPerStatement) {
      // libsql works on the event loop: others get a turn between the statements.
      if (at > 0) await nextTurn();
      await upsert(transaction, rows.slice(at, at + rowsPerStatement));
    }
  });
}

/** Sorted by id, so that two writers of the same rows cannot wait for each other. */
function lastWordOf(recorded: readonly Recorded[]): ExecutionRow[] {
  const byId = new Map<string, ExecutionRow>();
  for (const { execution, logs } of recorded) {
    const before = byId.get(execution.id);
    if (before === undefined || rankOf(execution.status) >= rankOf(before.status)) {
      if (before === undefined || !isTerminal(before.status))
        byId.set(execution.id, toExecutionRow(execution, logs));
    }
  }
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

const rankOf = (status: ExecutionStatus): number => (status === 'queued' ? 0 : status === 'running' ? 1 : 2);

async function upsert(db: Kysely<Tables>, rows: readonly ExecutionRow[]): Promise<void> {
  await db
    .insertInto('executions')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet((eb) => ({
          status: eb.ref('excluded.status'),
          attempt: eb.ref('excluded.attempt'),
          ret_code: eb.ref('excluded.ret_code'),
          res: eb.ref('excluded.res'),
          err: eb.ref('excluded.err'),
          logs: eb.ref('excluded.logs'),
          started_at_ms: eb.ref('excluded.started_at_ms'),
          finished_at_ms: eb.ref('excluded.finished_at_ms'),
          leased_at_ms: eb.ref('excluded.leased_at_ms'),
          runtime_id: eb.ref('excluded.runtime_id'),
          progress_per_mille: eb.ref('excluded.progress_per_mille'),
        }))
        .where(isUnfinished)
        // Asynchronous ones are moved by leases only.
        .where('executions.mode', '=', 'sync')
        // A late "queued" does not take a running one back.
        .where(sql<boolean>`not (executions.status = 'running' and excluded.status = 'queued')`),
    )
    .execute();
}
