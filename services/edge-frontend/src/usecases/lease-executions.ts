import { type Broker, type Consumer, serveLeases } from '@gantry/broker';
import type { Clock, Logger, Part } from '@gantry/kernel';
import type { ExecutionStore } from '@gantry/store';
import type { ExecutionSignals } from './execution-signals.js';

export interface LeaseExecutionsDeps {
  readonly broker: Broker;
  readonly executions: Pick<ExecutionStore, 'leaseStart'>;
  readonly signals: ExecutionSignals;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxAttempts: number;
  readonly onLease: (outcome: string) => void;
}

/** Gives runtimes the right to start asynchronous executions: the store decides, by compare-and-set. */
export function leaseExecutions(deps: LeaseExecutionsDeps): Part {
  const { broker, clock, executions, logger, maxAttempts, onLease, signals } = deps;
  let consumer: Consumer | undefined;
  return {
    name: 'lease responder',
    start: async () => {
      consumer = await serveLeases({
        broker,
        logger,
        lease: async ({ executionId, redelivered, runtimeId }) => {
          const outcome = await executions.leaseStart({
            id: executionId,
            runtimeId,
            redelivered,
            maxAttempts,
            nowMs: clock.now(),
          });
          onLease(outcome.kind === 'granted' ? 'granted' : outcome.reason);
          // A refusal may have ended it: expired, or started too often.
          if (outcome.kind === 'refused') signals.wake(executionId);
          return outcome;
        },
      });
    },
    stop: () => consumer?.cancel(),
  };
}
