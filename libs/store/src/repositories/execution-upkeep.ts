/**
 * What a reaper does with executions: put back what was lost, end what waited too long, drop what is old.
 *
 * I1 Terminal rows never change, but for losing their results.
 * I2 A call touches a bounded number of rows, in bounded transactions, so that it ends by its deadline and other calls
 *    get their turn; the next call goes on where it ended.
 * I3 A lost run waits anew: it gets its whole queue time again, or it would expire instead of running again.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import type { ExecutionStore } from '../ports.js';
import type { Tables } from '../schema.js';
import { exhaustedError, expiredError } from './execution-lease.js';
import { isUnfinished } from './execution-rows.js';

type Requeue = Parameters<ExecutionStore['requeueLost']>[0];

const rowsPerBatch = 250;
const batchesPerCall = 20;

/** @see ExecutionStore.requeueLost */
export async function requeueLost(db: Kysely<Tables>, request: Requeue): Promise<number> {
  const { maxAttempts, nowMs } = request;
  const dead = await inBatches(async () => {
    const { numUpdatedRows } = await db
      .updateTable('executions')
      .set({ status: 'dead', finished_at_ms: nowMs, ret_code: -1, err: exhaustedError(maxAttempts) })
      .where('id', 'in', lostIds(db, request).where('attempt', '>=', maxAttempts).limit(rowsPerBatch))
      .where(isUnfinished)
      .executeTakeFirst();
    return Number(numUpdatedRows);
  });
  const back = await inBatches(async () => {
    const { numUpdatedRows } = await db
      .updateTable('executions')
      .set({
        status: 'queued',
        published_at_ms: null,
        leased_at_ms: null,
        runtime_id: null,
        progress_per_mille: null,
        // I3
        expires_at_ms: sql<number>`case when status = 'running' and expires_at_ms < ${nowMs} + queue_ms
          then ${nowMs} + queue_ms else expires_at_ms end`,
      })
      .where('id', 'in', lostIds(db, request).where('attempt', '<', maxAttempts).limit(rowsPerBatch))
      .where(isUnfinished)
      .executeTakeFirst();
    return Number(numUpdatedRows);
  });
  return dead + back;
}

/** Rows that are already `queued` and unpublished are left out: there is nothing to put back. */
const lostIds = (db: Kysely<Tables>, { all, graceMs, nowMs }: Requeue) => {
  const unfinished = db
    .selectFrom('executions')
    .select('id')
    .where(isUnfinished)
    .where('mode', '=', 'async')
    .orderBy('created_at_ms')
    .orderBy('id');
  return all
    ? unfinished.where(sql<boolean>`(status = 'running' or published_at_ms is not null)`)
    : unfinished
        .where('status', '=', 'running')
        .where(sql<boolean>`leased_at_ms + run_ms + ${graceMs} < ${nowMs}`);
};

/** @see ExecutionStore.expireOverdue */
export async function expireOverdue(db: Kysely<Tables>, nowMs: number, graceMs: number): Promise<number> {
  const overdue = db.selectFrom('executions').select('id').where(isUnfinished).limit(rowsPerBatch);
  const finish = { finished_at_ms: nowMs };
  const waitedTooLong = await inBatches(async () => {
    const { numUpdatedRows } = await db
      .updateTable('executions')
      .set({ ...finish, status: 'expired', err: expiredError })
      .where(
        'id',
        'in',
        overdue
          .where('status', '=', 'queued')
          // A synchronous one may be running although its row says "queued": it is written behind.
          .where(
            sql<boolean>`expires_at_ms + ${graceMs} + (case mode when 'sync' then run_ms else 0 end) < ${nowMs}`,
          ),
      )
      .where('status', '=', 'queued')
      .executeTakeFirst();
    return Number(numUpdatedRows);
  });
  const lost = await inBatches(async () => {
    const { numUpdatedRows } = await db
      .updateTable('executions')
      .set({
        ...finish,
        status: 'failed',
        ret_code: -1,
        err: 'worker-lost: no result came within the run time',
      })
      .where(
        'id',
        'in',
        overdue
          .where('status', '=', 'running')
          .where('mode', '=', 'sync')
          .where(sql<boolean>`expires_at_ms + run_ms + ${graceMs} < ${nowMs}`),
      )
      .where('status', '=', 'running')
      .executeTakeFirst();
    return Number(numUpdatedRows);
  });
  return waitedTooLong + lost;
}

/** @see ExecutionStore.purge */
export async function purge(
  db: Kysely<Tables>,
  { finishedBeforeMs, dropBeforeMs }: Parameters<ExecutionStore['purge']>[0],
): Promise<number> {
  const emptied = await inBatches(() => emptyBatch(db, finishedBeforeMs));
  const dropped = await inBatches(async () => {
    const old = db
      .selectFrom('executions')
      .select('id')
      .where(sql<boolean>`purged = 1`)
      .where('finished_at_ms', '<', dropBeforeMs)
      .limit(rowsPerBatch);
    const { numDeletedRows } = await db.deleteFrom('executions').where('id', 'in', old).executeTakeFirst();
    return Number(numDeletedRows);
  });
  return emptied + dropped;
}

/** Results and parameters go in one transaction: what says "purged" has none of them. */
const emptyBatch = (db: Kysely<Tables>, finishedBeforeMs: number): Promise<number> =>
  db.transaction().execute(async (transaction) => {
    const rows = await transaction
      .updateTable('executions')
      .set({ res: null, err: null, ret_code: null, logs: '', purged: 1 })
      .where(
        'id',
        'in',
        transaction
          .selectFrom('executions')
          .select('id')
          .where(sql<boolean>`purged = 0 and finished_at_ms is not null`)
          .where('finished_at_ms', '<', finishedBeforeMs)
          .limit(rowsPerBatch),
      )
      .returning('id')
      .execute();
    const ids = rows.map((row) => row.id);
    if (ids.length > 0) {
      await transaction.deleteFrom('execution_parameters').where('execution_id', 'in', ids).execute();
    }
    return ids.length;
  });

// I2
async function inBatches(batch: () => Promise<number>): Promise<number> {
  let total = 0;
  for (let count = 0; count < batchesPerCall; count += 1) {
    const changed = await batch();
    total += changed;
    if (changed < rowsPerBatch) break;
    await nextTurn();
  }
  return total;
}
