/**
 * The start lease: who may run an asynchronous execution.
 *
 * I1 Each step is one compare-and-set statement, so of many requests for one delivery exactly one is granted.
 * I2 An execution is granted at most `maxAttempts` times.
 * I3 Only what waits can expire; what runs is bounded by its run time. (A lost run waits anew: see `requeueLost`.)
 */
import { isTerminal } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import { type Kysely, sql } from 'kysely';
import type { ExecutionStore, LeaseOutcome } from '../ports.js';
import type { Tables } from '../schema.js';

type LeaseRequest = Parameters<ExecutionStore['leaseStart']>[0];

/** Between two statements another writer may move the row; more than a few times in a row means something is wrong. */
const maxRounds = 5;

/** `err` of an execution whose runtime was lost in its last attempt. */
export const exhaustedError = (maxAttempts: number): string =>
  `worker-lost: the execution was started ${maxAttempts} times and never finished`;

export const expiredError = 'The execution waited longer than its queue bound';

export async function leaseStart(db: Kysely<Tables>, request: LeaseRequest): Promise<LeaseOutcome> {
  for (let round = 0; round < maxRounds; round += 1) {
    const attempt = await grant(db, request);
    if (attempt !== undefined) return { kind: 'granted', attempt };
    if (await expire(db, request)) return { kind: 'refused', reason: 'expired' };
    if (await exhaust(db, request)) return { kind: 'refused', reason: 'exhausted' };
    const row = await db
      .selectFrom('executions')
      .select('status')
      .where('id', '=', request.id)
      .executeTakeFirst();
    if (row === undefined) return { kind: 'refused', reason: 'unknown' };
    if (isTerminal(row.status)) return { kind: 'refused', reason: row.status };
    if (row.status === 'running' && !request.redelivered) return { kind: 'refused', reason: 'running' };
  }
  throw new AppError(
    'store-unavailable',
    `The execution ${request.id} changed too often to be leased; try again`,
  );
}

/** What this delivery may start: a waiting one, or one whose runner the broker lost. */
const isStartable = (redelivered: boolean) =>
  redelivered
    ? sql<boolean>`executions.status in ('queued', 'running')`
    : sql<boolean>`executions.status = 'queued'`;

// I1, I2
async function grant(db: Kysely<Tables>, request: LeaseRequest): Promise<number | undefined> {
  const { id, runtimeId, redelivered, maxAttempts, nowMs } = request;
  const row = await db
    .updateTable('executions')
    .set({
      attempt: sql<number>`attempt + 1`,
      status: 'running',
      runtime_id: runtimeId,
      started_at_ms: nowMs,
      leased_at_ms: nowMs,
      progress_per_mille: null,
    })
    .where('id', '=', id)
    .where(isStartable(redelivered))
    .where('attempt', '<', maxAttempts)
    .where((eb) => eb.or([eb('status', '=', 'running'), eb('expires_at_ms', '>=', nowMs)]))
    .returning('attempt')
    .executeTakeFirst();
  return row?.attempt;
}

// I3
async function expire(db: Kysely<Tables>, { id, nowMs }: LeaseRequest): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('executions')
    .set({ status: 'expired', finished_at_ms: nowMs, err: expiredError })
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .where('expires_at_ms', '<', nowMs)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

async function exhaust(db: Kysely<Tables>, request: LeaseRequest): Promise<boolean> {
  const { id, redelivered, maxAttempts, nowMs } = request;
  const { numUpdatedRows } = await db
    .updateTable('executions')
    .set({ status: 'dead', finished_at_ms: nowMs, ret_code: -1, err: exhaustedError(maxAttempts) })
    .where('id', '=', id)
    .where(isStartable(redelivered))
    .where('attempt', '>=', maxAttempts)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
