import { type ExecutionStatus, emptyResultOf, isTerminal } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import type { Execution, ExecutionStore } from '@gantry/store';
import { executionIdHeader } from './call-function.js';
import type { ExecutionSignals } from './execution-signals.js';
import { toResultBytes } from './parse-result.js';

export interface WaitForResultDeps {
  readonly executions: ExecutionStore;
  readonly signals: ExecutionSignals;
}

export type Ending =
  | { readonly kind: 'result'; readonly result: Buffer }
  | { readonly kind: 'pending'; readonly status: ExecutionStatus };

/**
 * Waits for the end of an accepted execution. That the store does not answer is no reason to say anything but
 * "accepted".
 * @throws {AppError} queue-timeout when it expired meanwhile
 */
export async function waitForResult(
  { executions, signals }: WaitForResultDeps,
  executionId: string,
  wait: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<Ending> {
  if (wait.waitMs === 0) return { kind: 'pending', status: 'queued' };
  const read = async () => {
    const value = await executions.find(executionId).catch(() => undefined);
    return { isDone: value !== undefined && isTerminal(value.status), value };
  };
  const execution = await signals.until(executionId, read, wait);
  if (execution === undefined) return { kind: 'pending', status: 'queued' };
  if (!isTerminal(execution.status)) return { kind: 'pending', status: execution.status };
  if (execution.status === 'expired')
    throw new AppError('queue-timeout', `No runtime was free for ${executionId} in time`, {
      headers: { [executionIdHeader]: executionId },
    });
  return { kind: 'result', result: resultOf(execution) };
}

const resultOf = (execution: Execution): Buffer =>
  toResultBytes({
    ret_code: execution.retCode ?? -1,
    res: execution.res ?? emptyResultOf[execution.language],
    err: execution.err ?? null,
  });
