import { isTerminal, mayAccess, type Principal } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { Execution, ExecutionStore } from '@gantry/store';
import type { CallJournal } from './call-journal.js';

export interface FindDeps {
  readonly executions: ExecutionStore;
  readonly journal: CallJournal;
}

/**
 * An execution of the caller, or of anybody for an administrator; also a synchronous one that is not written yet.
 * @throws {AppError} execution-not-found, result-expired, store-unavailable
 */
export async function findExecution(deps: FindDeps, id: string, principal: Principal): Promise<Execution> {
  const execution = deps.journal.find(id)?.execution ?? (await deps.executions.find(id));
  if (execution === undefined || !mayAccess(principal, execution.owner)) throw notFound(id);
  // Every kept result has a `res` or an `err`; what has neither may be a tombstone.
  const mayBePurged =
    isTerminal(execution.status) && execution.res === undefined && execution.err === undefined;
  if (mayBePurged && (await deps.executions.isPurged(id)))
    throw new AppError('result-expired', `The result of ${id} was kept for its time and is gone`);
  return execution;
}

/** The captured log. @throws {AppError} execution-not-found, result-expired, store-unavailable */
export async function findLogs(deps: FindDeps, id: string, principal: Principal): Promise<string> {
  await findExecution(deps, id, principal);
  return deps.journal.find(id)?.logs ?? (await deps.executions.readLogs(id)) ?? '';
}

const notFound = (id: string): AppError =>
  new AppError('execution-not-found', `There is no execution ${id.slice(0, 128)} of yours`);
