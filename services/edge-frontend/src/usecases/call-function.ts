import type { Broker, PublishOutcome } from '@gantry/broker';
import { type ExecutionRequest, emptyResultOf } from '@gantry/contracts';
import { AppError, type Clock } from '@gantry/kernel';
import type { CallJournal } from './call-journal.js';
import { toResultBytes } from './parse-result.js';
import { type PreparedCall, publishCall } from './prepare-call.js';
import type { CallOutcome, WaitingCalls } from './waiting-calls.js';

export interface CallDeps {
  readonly broker: Broker;
  readonly waiting: WaitingCalls;
  readonly journal: CallJournal;
  readonly clock: Clock;
  /** Tells the runtimes not to run it, or to stop. Never throws. */
  readonly cancel: (executionId: string, flavour: string) => void;
  readonly observeConfirm: (seconds: number, outcome: PublishOutcome) => void;
  readonly countOutcome: (request: ExecutionRequest, outcome: string) => void;
}

/**
 * Publishes a synchronous call and waits for its end. Once a runtime took it the answer is a result, also when the
 * runtime was lost.
 * @returns the bytes of the answer: JSON with `ret_code`, `res`, `err`
 * @throws {AppError} no-runtime-for-flavour, queue-full, broker-unavailable, queue-timeout
 */
export async function callFunction(deps: CallDeps, prepared: PreparedCall): Promise<Buffer> {
  const { broker, clock, journal, waiting } = deps;
  const call = waiting.open(prepared.request);
  const publishedMs = clock.monotonicMs();
  // The result may come before the confirm: the confirm only matters when it is a refusal.
  void publishCall(broker, prepared, call.createdAtMs).then((publish) => {
    deps.observeConfirm((clock.monotonicMs() - publishedMs) / 1000, publish);
    if (publish !== 'confirmed' && !call.isStarted) waiting.settle(call, { kind: 'not-published', publish });
  });
  const outcome = await call.outcome;
  journal.end(call);
  deps.countOutcome(prepared.request, outcome.kind === 'finished' ? outcome.message.status : outcome.kind);
  if (mayStillRun(outcome)) deps.cancel(prepared.request.executionId, prepared.request.flavour);
  return answerOf(outcome, prepared.request);
}

/** Nobody waits for it any more, but a runtime may have it or get it. */
const mayStillRun = (outcome: CallOutcome): boolean =>
  outcome.kind === 'not-published' ? outcome.publish === 'unavailable' : outcome.kind !== 'finished';

function answerOf(outcome: CallOutcome, request: ExecutionRequest): Buffer {
  switch (outcome.kind) {
    case 'finished':
      if (outcome.message.status === 'expired') throw queueTimeout(request);
      return outcome.message.result;
    case 'worker-lost':
      return failureOf(request, 'worker-lost: the runtime that took the call sent no result in its run time');
    case 'cancelled':
      return failureOf(request, 'cancelled: on request');
    case 'queue-timeout':
      throw queueTimeout(request);
    case 'no-runtime':
      throw new AppError(
        'no-runtime-for-flavour',
        `The last runtime of the flavour "${request.flavour}" went before it took the call`,
        about(request.executionId),
      );
    case 'not-published':
      throw toPublishProblem(outcome.publish, request);
  }
}

const failureOf = (request: ExecutionRequest, err: string): Buffer =>
  toResultBytes({ ret_code: -1, res: emptyResultOf[request.language], err });

const queueTimeout = (request: ExecutionRequest): AppError =>
  new AppError(
    'queue-timeout',
    `No runtime of the flavour "${request.flavour}" was free within ${request.queueMs} ms`,
    about(request.executionId),
  );

/** What a publish that was not confirmed means to the caller. */
export function toPublishProblem(
  publish: Exclude<PublishOutcome, 'confirmed'>,
  { executionId, flavour }: ExecutionRequest,
): AppError {
  switch (publish) {
    case 'unroutable':
      return new AppError(
        'no-runtime-for-flavour',
        `There is no queue for the flavour "${flavour}"`,
        about(executionId),
      );
    case 'rejected':
      return new AppError('queue-full', `The queue of the flavour "${flavour}" is full`, about(executionId));
    case 'unavailable':
      return new AppError(
        'broker-unavailable',
        'The broker did not take the call in time',
        about(executionId),
      );
  }
}

export const executionIdHeader = 'x-execution-id';
const about = (executionId: string) => ({ headers: { [executionIdHeader]: executionId } });
