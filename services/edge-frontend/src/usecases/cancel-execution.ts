import { isTerminal, type Principal } from '@gantry/contracts';
import { AppError, type Clock } from '@gantry/kernel';
import type { Execution } from '@gantry/store';
import type { ExecutionSignals } from './execution-signals.js';
import { type FindDeps, findExecution } from './find-execution.js';
import type { WaitingCalls } from './waiting-calls.js';

export interface CancelDeps extends FindDeps {
  readonly waiting: WaitingCalls;
  readonly signals: ExecutionSignals;
  readonly clock: Clock;
  /** Tells the runtimes of the flavour, and the frontend whose caller waits. Never throws. */
  readonly sendCancel: (executionId: string, flavour: string) => void;
}

/** A runtime that runs it gets this long to end it itself: its own report carries the log. */
const runtimeTimeMs = 1000;

/**
 * Cancels an execution; on return it is `cancelled` for good, and a runtime that has it was told.
 * @throws {AppError} execution-not-found, execution-finished, result-expired, store-unavailable
 */
export async function cancelExecution(
  deps: CancelDeps,
  id: string,
  principal: Principal,
  signal: AbortSignal,
): Promise<void> {
  const found = await findExecution(deps, id, principal);
  if (isTerminal(found.status)) throw finished(found);
  const call = deps.waiting.find(id);
  if (call !== undefined) {
    deps.sendCancel(id, found.flavour);
    deps.waiting.settle(call, { kind: 'cancelled' });
    return;
  }
  if (found.status === 'running') {
    deps.sendCancel(id, found.flavour);
    await waitForRuntime(deps, id, principal, signal);
  }
  // Written before a runtime drops what is queued: else a store that fails here would leave it queued for nobody.
  const isFirst = await cancelStored(deps, id);
  deps.sendCancel(id, found.flavour);
  if (isFirst) return;
  const now = await findExecution(deps, id, principal);
  if (now.status !== 'cancelled') throw finished(now);
}

const waitForRuntime = (deps: CancelDeps, id: string, principal: Principal, signal: AbortSignal) =>
  deps.signals.until(
    id,
    async () => {
      const execution = await findExecution(deps, id, principal);
      return { isDone: isTerminal(execution.status), value: undefined };
    },
    { waitMs: runtimeTimeMs, signal },
  );

async function cancelStored({ executions, signals, clock }: CancelDeps, id: string): Promise<boolean> {
  const isFirst = await executions.finish(id, 0, {
    status: 'cancelled',
    retCode: -1,
    res: undefined,
    err: 'cancelled: on request',
    startedAtMs: undefined,
    finishedAtMs: clock.now(),
    logs: '',
  });
  if (isFirst) signals.wake(id);
  return isFirst;
}

const finished = ({ id, status }: Execution): AppError =>
  new AppError('execution-finished', `The execution ${id} is ${status} already`);
