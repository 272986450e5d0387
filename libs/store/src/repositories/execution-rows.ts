import { isTerminal } from '@gantry/contracts';
import { sql } from 'kysely';
import type { Execution } from '../ports.js';
import type { ExecutionRow } from '../schema.js';

/** As text, not as parameters, so that SQLite may use the partial index on it. */
export const isUnfinished = sql<boolean>`executions.status in ('queued', 'running')`;

/** Everything but `res` and `logs`, which may be long, and `options_json`, which stands behind them. */
export const listedColumns = [
  'id',
  'owner',
  'mode',
  'status',
  'function_id',
  'requirement_id',
  'function_sha256',
  'language',
  'flavour',
  'attempt',
  'ret_code',
  'err',
  'created_at_ms',
  'started_at_ms',
  'finished_at_ms',
  'expires_at_ms',
  'queue_ms',
  'run_ms',
  'runtime_id',
  'progress_per_mille',
  'traceparent',
] as const satisfies readonly (keyof ExecutionRow)[];

type Listed = Pick<ExecutionRow, (typeof listedColumns)[number]>;

export const toExecution = (
  row: Listed & Partial<Pick<ExecutionRow, 'res' | 'options_json'>>,
): Execution => ({
  id: row.id,
  owner: row.owner,
  mode: row.mode,
  status: row.status,
  functionId: row.function_id,
  requirementId: row.requirement_id,
  functionSha256: row.function_sha256,
  language: row.language,
  flavour: row.flavour,
  attempt: row.attempt,
  retCode: row.ret_code ?? undefined,
  res: row.res ?? undefined,
  err: row.err ?? undefined,
  createdAtMs: row.created_at_ms,
  startedAtMs: row.started_at_ms ?? undefined,
  finishedAtMs: row.finished_at_ms ?? undefined,
  expiresAtMs: row.expires_at_ms,
  queueMs: row.queue_ms,
  runMs: row.run_ms,
  runtimeId: row.runtime_id ?? undefined,
  progressPerMille: row.progress_per_mille ?? undefined,
  traceparent: row.traceparent ?? undefined,
  ...toOptions(row.options_json ?? null),
});

/** What few calls have: what a requirement asks for, and another's function. The keys of {@link Execution}. */
type CallOptions = Pick<Execution, 'functionOwner' | 'isFresh' | 'limits'>;

const toOptions = (json: string | null): CallOptions =>
  json === null ? {} : (JSON.parse(json) as CallOptions);

const toOptionsJson = ({ functionOwner, isFresh, limits }: CallOptions): string | null =>
  functionOwner === undefined && isFresh === undefined && limits === undefined
    ? null
    : JSON.stringify({ functionOwner, isFresh, limits });

export const toExecutionRow = (execution: Execution, logs: string): ExecutionRow => ({
  id: execution.id,
  owner: execution.owner,
  mode: execution.mode,
  status: execution.status,
  function_id: execution.functionId,
  requirement_id: execution.requirementId,
  function_sha256: execution.functionSha256,
  language: execution.language,
  flavour: execution.flavour,
  attempt: execution.attempt,
  ret_code: execution.retCode ?? null,
  err: execution.err ?? null,
  created_at_ms: execution.createdAtMs,
  started_at_ms: execution.startedAtMs ?? null,
  // What is terminal has an end, or it would never be purged.
  finished_at_ms: execution.finishedAtMs ?? (isTerminal(execution.status) ? execution.createdAtMs : null),
  expires_at_ms: execution.expiresAtMs,
  queue_ms: execution.queueMs,
  run_ms: execution.runMs,
  runtime_id: execution.runtimeId ?? null,
  progress_per_mille: execution.progressPerMille ?? null,
  traceparent: execution.traceparent ?? null,
  published_at_ms: null,
  leased_at_ms: execution.startedAtMs ?? null,
  purged: 0,
  options_json: toOptionsJson(execution),
  res: execution.res ?? null,
  logs,
});
