import type { ExecutionView } from '@gantry/contracts';
import type { Execution } from '@gantry/store';

/** An execution as its owner reads it. */
export const toExecutionView = (execution: Execution): ExecutionView => ({
  execution_id: execution.id,
  status: execution.status,
  mode: execution.mode,
  function_id: execution.functionId,
  app_req_id: execution.requirementId,
  language: execution.language,
  flavour: execution.flavour,
  owner: execution.owner,
  attempt: execution.attempt,
  ret_code: execution.retCode ?? null,
  res: execution.res ?? null,
  err: execution.err ?? null,
  created_at: toTime(execution.createdAtMs),
  started_at: execution.startedAtMs === undefined ? null : toTime(execution.startedAtMs),
  finished_at: execution.finishedAtMs === undefined ? null : toTime(execution.finishedAtMs),
  expires_at: toTime(execution.expiresAtMs),
  progress: execution.progressPerMille === undefined ? null : execution.progressPerMille / 1000,
});

const toTime = (ms: number): string => new Date(ms).toISOString();
