/**
 * Executions of one edge cluster. States: queued → running → one of the terminal ones, and running → queued when a
 * runtime was lost.
 *
 * I1 A terminal state never changes: every writer is one compare-and-set statement on a status that is not.
 * I2 What `accept` answered is on disk.
 * I3 A result of an attempt counts while that attempt was given; the first one wins.
 */
import { type Kysely, sql } from 'kysely';
import { toBytes } from '../blob.js';
import type { Connection } from '../connection.js';
import { decodeCursor, toPage } from '../cursor.js';
import type {
  Execution,
  ExecutionFilter,
  ExecutionOutcome,
  ExecutionStore,
  Page,
  PageRequest,
} from '../ports.js';
import type { Tables } from '../schema.js';
import { leaseStart } from './execution-lease.js';
import { recordExecutions } from './execution-record.js';
import { isUnfinished, listedColumns, toExecution, toExecutionRow } from './execution-rows.js';
import { expireOverdue, purge, requeueLost } from './execution-upkeep.js';

export const createExecutionStore = ({ db }: Connection): ExecutionStore => ({
  accept: (execution, parameters) => accept(db, execution, parameters),

  withdraw: async (id) => {
    await db
      .deleteFrom('executions')
      .where('id', '=', id)
      .where('status', '=', 'queued')
      .where('attempt', '=', 0)
      .where('published_at_ms', 'is', null)
      .execute();
  },

  markPublished: async (id, atMs) => {
    await db
      .updateTable('executions')
      .set({ published_at_ms: atMs })
      .where('id', '=', id)
      .where(isUnfinished)
      .execute();
  },

  leaseStart: (request) => leaseStart(db, request),
  finish: (id, attempt, outcome) => finish(db, id, attempt, outcome),

  setProgress: async (id, attempt, progressPerMille) => {
    await db
      .updateTable('executions')
      .set({ progress_per_mille: Math.max(0, Math.min(1000, Math.round(progressPerMille))) })
      .where('id', '=', id)
      .where('status', '=', 'running')
      .where('attempt', '=', attempt)
      .execute();
  },

  record: (rows) => recordExecutions(db, rows),

  find: async (id) => {
    const row = await db
      .selectFrom('executions')
      .select([...listedColumns, 'res', 'options_json'])
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? undefined : toExecution(row);
  },

  readLogs: async (id) => {
    const row = await db.selectFrom('executions').select('logs').where('id', '=', id).executeTakeFirst();
    return row?.logs;
  },

  readParameters: async (id) => {
    const row = await db
      .selectFrom('execution_parameters')
      .select('body')
      .where('execution_id', '=', id)
      .executeTakeFirst();
    return row === undefined ? undefined : toBytes(row.body);
  },

  list: (filter, page) => list(db, filter, page),

  listUnpublished: async (beforeMs, limit) => {
    const rows = await db
      .selectFrom('executions')
      .select([...listedColumns, 'options_json'])
      .where(isUnfinished)
      .where('mode', '=', 'async')
      .where('status', '=', 'queued')
      .where('published_at_ms', 'is', null)
      .where('created_at_ms', '<', beforeMs)
      .orderBy('created_at_ms')
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map(toExecution);
  },

  oldestQueuedAtMs: async (flavour) => {
    const row = await db
      .selectFrom('executions')
      .select('created_at_ms')
      // As text, so that the partial index of what is queued serves it.
      .where(sql<boolean>`executions.status = 'queued'`)
      .where('flavour', '=', flavour)
      .where('mode', '=', 'async')
      .orderBy('created_at_ms')
      .limit(1)
      .executeTakeFirst();
    return row?.created_at_ms;
  },

  requeueLost: (request) => requeueLost(db, request),
  expireOverdue: (nowMs, graceMs) => expireOverdue(db, nowMs, graceMs),
  purge: (request) => purge(db, request),

  isPurged: async (id) => {
    const row = await db.selectFrom('executions').select('purged').where('id', '=', id).executeTakeFirst();
    return row?.purged === 1;
  },
});

/** I2: both rows or none; the commit is synced to disk before it answers. */
async function accept(db: Kysely<Tables>, execution: Execution, parameters: Uint8Array): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await transaction.insertInto('executions').values(toExecutionRow(execution, '')).execute();
    await transaction
      .insertInto('execution_parameters')
      .values({ execution_id: execution.id, body: parameters })
      .execute();
  });
}

// I1, I3
async function finish(
  db: Kysely<Tables>,
  id: string,
  attempt: number,
  outcome: ExecutionOutcome,
): Promise<boolean> {
  if (attempt < 0) return false;
  let query = db
    .updateTable('executions')
    .set({
      status: outcome.status,
      ret_code: outcome.retCode ?? null,
      res: outcome.res ?? null,
      err: outcome.err ?? null,
      logs: outcome.logs,
      finished_at_ms: outcome.finishedAtMs,
      ...(outcome.startedAtMs === undefined ? {} : { started_at_ms: outcome.startedAtMs }),
    })
    .where('id', '=', id)
    .where(isUnfinished);
  if (attempt > 0) query = query.where('attempt', '>=', attempt);
  // What runs cannot expire: a late copy of its message may say so, of an execution that another runtime has.
  if (outcome.status === 'expired') query = query.where('status', '=', 'queued');
  const { numUpdatedRows } = await query.executeTakeFirst();
  return numUpdatedRows > 0n;
}

async function list(
  db: Kysely<Tables>,
  filter: ExecutionFilter,
  page: PageRequest,
): Promise<Page<Execution>> {
  const { limit, cursor } = page;
  let query = db
    .selectFrom('executions')
    .select(listedColumns)
    .orderBy('created_at_ms', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (filter.owner !== undefined) query = query.where('owner', '=', filter.owner);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.functionId !== undefined) query = query.where('function_id', '=', filter.functionId);
  if (filter.flavour !== undefined) query = query.where('flavour', '=', filter.flavour);
  if (filter.fromMs !== undefined) query = query.where('created_at_ms', '>=', filter.fromMs);
  if (filter.toMs !== undefined) query = query.where('created_at_ms', '<', filter.toMs);
  if (cursor !== undefined) {
    const [createdAtMs, id] = decodeCursor(cursor, ['number', 'string']);
    query = query.where((eb) =>
      eb(eb.refTuple('created_at_ms', 'id'), '<', eb.tuple(Number(createdAtMs), String(id))),
    );
  }
  return toPage(await query.execute(), limit, (row) => [row.created_at_ms, row.id], toExecution);
}
