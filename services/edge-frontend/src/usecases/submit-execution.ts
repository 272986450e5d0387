import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker } from '@gantry/broker';
import type { ExecutionRequest } from '@gantry/contracts';
import { type Clock, type Logger, messageOf } from '@gantry/kernel';
import type { ExecutionStore } from '@gantry/store';
import { toPublishProblem } from './call-function.js';
import { toQueuedExecution } from './plan-execution.js';
import { type PreparedCall, publishCall } from './prepare-call.js';

export interface SubmitDeps {
  readonly broker: Broker;
  readonly executions: ExecutionStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly countOutcome: (request: ExecutionRequest, outcome: string) => void;
}

/**
 * Accepts an asynchronous execution: durable in the store before it is published, published before it is promised.
 * When the broker does not answer after the store did, the execution is accepted all the same: the reaper publishes it.
 * @throws {AppError} store-unavailable, no-runtime-for-flavour, queue-full; then it will not run
 */
export async function submitExecution(
  deps: SubmitDeps,
  prepared: PreparedCall,
  parameters: Buffer,
): Promise<void> {
  const { broker, clock, executions, logger } = deps;
  const { request } = prepared;
  const nowMs = clock.now();
  await accept(deps, request, parameters, nowMs);
  const outcome = await publishCall(broker, prepared, nowMs);
  deps.countOutcome(request, outcome === 'confirmed' || outcome === 'unavailable' ? 'accepted' : outcome);
  switch (outcome) {
    case 'confirmed':
      // Not waited for: without the mark it is published again, and a lease lets only one of the two run.
      executions.markPublished(request.executionId, clock.now()).catch((error: unknown) => {
        logger.warn('a published execution could not be marked', {
          executionId: request.executionId,
          reason: messageOf(error),
        });
      });
      return;
    case 'unavailable':
      logger.warn('an accepted execution will be published later', { executionId: request.executionId });
      return;
    case 'unroutable':
    case 'rejected':
      await executions.withdraw(request.executionId);
      throw toPublishProblem(outcome, request);
  }
}

/** A store that does not answer in time may have written all the same: what was refused is taken back when it can be. */
async function accept(
  { executions, logger }: SubmitDeps,
  request: ExecutionRequest,
  parameters: Buffer,
  nowMs: number,
): Promise<void> {
  try {
    await executions.accept(toQueuedExecution(request, nowMs), parameters);
  } catch (error) {
    void withdrawUntilGone(executions, request.executionId).catch((failure: unknown) => {
      logger.error('a refused execution may still run', {
        executionId: request.executionId,
        reason: messageOf(failure),
      });
    });
    throw error;
  }
}

/** Sooner than the reaper publishes what was accepted, and again for as long as a late write may take. */
const withdrawPausesMs = [0, 500, 1000, 2000, 4000, 8000];

async function withdrawUntilGone(executions: ExecutionStore, executionId: string): Promise<void> {
  let lastError: unknown;
  for (const pauseMs of withdrawPausesMs) {
    // Nobody waits for it, so it does not keep the process.
    await sleep(pauseMs, undefined, { ref: false });
    try {
      await executions.withdraw(executionId);
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
  }
  if (lastError !== undefined) throw lastError;
}
