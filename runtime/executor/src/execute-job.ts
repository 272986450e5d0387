import type { FinishedMessage, LeaseRequester } from '@gantry/broker';
import type { ExecutionErrorCode, ExecutionRequest, Language } from '@gantry/contracts';
import {
  type Clock,
  type DeadlineWheel,
  fullJitterMs,
  isAppError,
  type Logger,
  messageOf,
} from '@gantry/kernel';
import { buildFailure } from './answers.js';
import type { CodeCache } from './code-cache.js';
import type { Job } from './job.js';
import type { PayloadSource, RuntimeMetrics } from './ports.js';
import type { ResultPublisher } from './result-publisher.js';
import type { ExecutorProcess } from './sandbox/executor-process.js';
import type { ProcessPool } from './sandbox/process-pool.js';

/**
 * One execution from its delivery to its acknowledgement.
 *
 * I1  A delivery is acknowledged only after its result was handed to the broker, or nobody can want it any more.
 * I2  A synchronous call that was redelivered is never run: it may have run before.
 * I3  An asynchronous execution runs, and is reported, only with a lease; what could not be run or handed on goes back
 *     to the queue. The lease comes last before the run: what is out of reach for now must not use up attempts.
 * I4  No synchronous call is started after `expiresAtMs`. For asynchronous executions the lease decides: only the store
 *     knows whether they are still queued.
 */
const leaseTimeoutMs = 2000;
const parametersTimeoutMs = 10_000;
const requeueBaseMs = 200;
const requeueMaxMs = 2000;
/** A call shorter than this reports only its end. */
const startedAfterMs = 200;
/** How often a synchronous call repeats that it started: a frontend that missed it takes the call for a waiting one. */
const startedEveryMs = 5000;
const progressEveryMs = 450;
/** How long an asynchronous result is offered to the broker before the execution goes back to its queue. */
const asyncPatienceMs = 60_000;

export interface ExecuteDeps {
  readonly runtimeId: string;
  readonly languages: ReadonlySet<Language>;
  readonly pool: ProcessPool;
  readonly codes: CodeCache;
  readonly payloads: PayloadSource;
  readonly leases: LeaseRequester;
  readonly results: ResultPublisher;
  readonly wheel: DeadlineWheel;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: RuntimeMetrics;
  readonly clockToleranceMs: number;
  /** Aborts when the runtime stops. */
  readonly stopped: AbortSignal;
}

interface Ending {
  readonly status: FinishedMessage['status'];
  readonly code?: ExecutionErrorCode;
  readonly result: Buffer;
  readonly log: Buffer;
  readonly startedAtMs?: number;
  readonly runMs?: number;
}

/** Asynchronous work that has to be tried again, by whichever runtime gets it. */
class RequeueError extends Error {}

const noLog = Buffer.alloc(0);

function failed(request: ExecutionRequest, code: ExecutionErrorCode, text: string): Ending {
  const status = code === 'cancelled' ? 'cancelled' : 'failed';
  return { status, code, result: buildFailure(request.language, code, text), log: noLog };
}

/** Never rejects: whatever happens, the delivery is acknowledged or given back. */
export async function executeJob(job: Job, deps: ExecuteDeps): Promise<void> {
  try {
    await (job.request.mode === 'sync' ? executeSync(job, deps) : executeAsync(job, deps));
  } catch (error) {
    giveBack(job, messageOf(error), deps);
  }
}

const isExpired = (job: Job, deps: ExecuteDeps): boolean =>
  deps.clock.now() > job.request.expiresAtMs + deps.clockToleranceMs;

async function executeSync(job: Job, deps: ExecuteDeps): Promise<void> {
  const ending = refuseSync(job, deps) ?? (await runPrepared(job, 1, await prepare(job, deps), deps));
  await report(job, 1, ending, deps);
}

async function executeAsync(job: Job, deps: ExecuteDeps): Promise<void> {
  // One that is late has probably ended in the store: then nothing is fetched for it.
  let attempt = isExpired(job, deps) ? await takeLease(job, deps) : undefined;
  if (attempt === 'refused') {
    job.delivery.ack();
    return;
  }
  const prepared = await prepare(job, deps);
  try {
    if (job.isAbandoned) throw new RequeueError('the runtime stops');
    attempt ??= await takeLease(job, deps); // I3
  } catch (error) {
    release(prepared, deps);
    throw error;
  }
  if (attempt === 'refused') {
    release(prepared, deps);
    job.delivery.ack();
    return;
  }
  await report(job, attempt, await runPrepared(job, attempt, prepared, deps), deps);
}

/** The attempt to run as. @throws {RequeueError} when nobody can say */
async function takeLease(job: Job, deps: ExecuteDeps): Promise<number | 'refused'> {
  if (job.isCancelled) return 'refused';
  const { executionId } = job.request;
  const lease = await deps.leases.request(executionId, {
    redelivered: job.wasRedelivered,
    timeoutMs: leaseTimeoutMs,
  });
  if (lease.kind === 'unavailable') throw new RequeueError('no frontend answered the lease request');
  if (lease.kind === 'granted') return lease.attempt;
  deps.logger.info('an execution was not started', {
    op: 'execution.lease',
    execution_id: executionId,
    outcome: 'refused',
    reason: lease.reason,
  });
  return 'refused';
}

function refuseSync(job: Job, deps: ExecuteDeps): Ending | undefined {
  const { request } = job;
  if (isExpired(job, deps)) {
    const text = 'it waited longer than allowed and was not started';
    return { status: 'expired', result: buildFailure(request.language, 'expired', text), log: noLog }; // I4
  }
  if (job.wasRedelivered) {
    return failed(request, 'worker-lost', 'the runtime that took the call was lost; it may have run'); // I2
  }
  return undefined;
}

/** All that a run needs, or why there is none. */
type Prepared =
  | {
      readonly kind: 'ready';
      readonly process: ExecutorProcess;
      readonly parameters: Buffer;
      readonly loadCode: () => Promise<Buffer>;
    }
  | { readonly kind: 'failed'; readonly ending: Ending };

function release(prepared: Prepared, deps: ExecuteDeps): void {
  if (prepared.kind === 'ready') deps.pool.release(prepared.process);
}

/** @throws {RequeueError} for asynchronous work, when something is out of reach for now */
async function prepare(job: Job, deps: ExecuteDeps): Promise<Prepared> {
  const { request } = job;
  const { functionSha256, parametersSha256, mode } = request;
  const refused = (code: ExecutionErrorCode, text: string): Prepared => ({
    kind: 'failed',
    ending: failed(request, code, text),
  });
  const unavailable = (error: unknown, what: string): Prepared => {
    if (mode === 'async' && isAppError(error) && error.retryable) throw new RequeueError(error.message);
    return refused('code-unavailable', `${what}${messageOf(error)}`);
  };
  if (job.isCancelled) return refused('cancelled', 'stopped before it started');
  if (!deps.languages.has(request.language)) {
    const text = `flavour "${request.flavour}" has no runtime for ${request.language} in this release`;
    return refused('language-unavailable', text);
  }
  let parameters = job.delivery.content;
  if (parametersSha256 !== undefined) {
    try {
      parameters = await deps.payloads.fetch(parametersSha256, { timeoutMs: parametersTimeoutMs });
    } catch (error) {
      return unavailable(error, 'the parameters cannot be had: ');
    }
  }
  // A synchronous call gets its code when its process asks for it, which a warm one does not.
  let loadCode = (): Promise<Buffer> => deps.codes.get(functionSha256);
  if (mode === 'async') {
    try {
      const code = await deps.codes.get(functionSha256);
      loadCode = () => Promise.resolve(code);
    } catch (error) {
      return unavailable(error, '');
    }
  }
  const process = await acquire(request, deps);
  if (process === undefined) return refused('worker-lost', 'no executor process could be started');
  return { kind: 'ready', process, parameters, loadCode };
}

/** Runs what was prepared and releases its process. @throws {RequeueError} */
async function runPrepared(
  job: Job,
  attempt: number,
  prepared: Prepared,
  deps: ExecuteDeps,
): Promise<Ending> {
  if (prepared.kind === 'failed') return prepared.ending;
  const { request } = job;
  const { process, parameters, loadCode } = prepared;
  const { executionId, functionSha256, runMs: limitMs, mode } = request;
  const from = { executionId, attempt, runtimeId: deps.runtimeId };
  const startedAtMs = deps.clock.now();
  const stopTelling =
    mode === 'sync'
      ? tellRepeatedly(deps.wheel, () => deps.results.notify({ kind: 'started', ...from, startedAtMs }))
      : undefined;
  let lastProgressMs = Number.NEGATIVE_INFINITY;
  try {
    job.whileRunning(() => process.abort());
    if (job.isAbandoned) throw new RequeueError('the runtime stops');
    if (job.isCancelled) return failed(request, 'cancelled', 'stopped before it started');
    const outcome = await process.run({
      executionId,
      functionSha256,
      parameters,
      runMs: limitMs,
      loadCode,
      onProgress: (perMille) => {
        const now = deps.clock.monotonicMs();
        if (now - lastProgressMs < progressEveryMs) return;
        lastProgressMs = now;
        deps.results.notify({ kind: 'progress', ...from, progressPerMille: Math.round(perMille) });
      },
    });
    const { log, runMs } = outcome;
    if (outcome.kind === 'succeeded') {
      return { status: 'succeeded', result: outcome.answer, log, startedAtMs, runMs };
    }
    // I3: nothing is known to have gone wrong with the function itself.
    if (mode === 'async' && outcome.code === 'worker-lost') throw new RequeueError('the executor was lost');
    return { ...failed(request, outcome.code, outcome.text), log, startedAtMs, runMs };
  } finally {
    stopTelling?.();
    job.whileRunning(undefined);
    deps.pool.release(process);
  }
}

/** Tells for the first time after a moment, then again and again until it is stopped. */
function tellRepeatedly(wheel: DeadlineWheel, tell: () => void): () => void {
  const again = (): void => {
    tell();
    cancel = wheel.schedule(startedEveryMs, again);
  };
  let cancel = wheel.schedule(startedAfterMs, again);
  return () => cancel();
}

/** @throws {RequeueError} for asynchronous work, which can wait until there is a process again */
async function acquire(request: ExecutionRequest, deps: ExecuteDeps): Promise<ExecutorProcess | undefined> {
  try {
    return await deps.pool.acquire(request.language, request.owner, request.functionSha256);
  } catch (error) {
    deps.logger.error('no executor process could be started', {
      op: 'executor.start',
      outcome: 'failed',
      reason: messageOf(error),
    });
    if (request.mode === 'async') throw new RequeueError(messageOf(error));
    return undefined;
  }
}

async function report(job: Job, attempt: number, ending: Ending, deps: ExecuteDeps): Promise<void> {
  const { request } = job;
  const { status, code, result, log, startedAtMs, runMs } = ending;
  if (job.isAbandoned) return;
  const outcome = code ?? status;
  deps.metrics.executionEnded({
    flavour: request.flavour,
    mode: request.mode,
    outcome,
    runSeconds: runMs === undefined ? undefined : runMs / 1000,
  });
  deps.logger.debug('execution ended', {
    op: 'execution.run',
    execution_id: request.executionId,
    outcome,
    duration_ms: runMs,
  });
  const finishedAtMs = deps.clock.now();
  // A synchronous caller waits for queue and run time at most; after that nobody does.
  const untilMs =
    request.mode === 'sync' ? request.expiresAtMs + request.runMs : finishedAtMs + asyncPatienceMs;
  const finished: FinishedMessage = {
    kind: 'finished',
    executionId: request.executionId,
    attempt,
    runtimeId: deps.runtimeId,
    status,
    code,
    startedAtMs,
    finishedAtMs,
    result,
    log,
  };
  const published = await deps.results.finish(finished, untilMs, deps.stopped);
  if (job.isAbandoned) return;
  // That no queue was there for an asynchronous result is a fault of the topology, not a lack of interest.
  if (published !== 'delivered' && request.mode === 'async')
    throw new RequeueError('the broker did not take the result');
  job.delivery.ack(); // I1
}

function giveBack(job: Job, reason: string, deps: ExecuteDeps): void {
  if (job.isAbandoned) return;
  job.isGivenBack = true;
  const { executionId, flavour, mode } = job.request;
  deps.logger.warn('an execution goes back to its queue', {
    op: 'execution.run',
    execution_id: executionId,
    outcome: 'requeued',
    reason,
  });
  deps.metrics.executionEnded({ flavour, mode, outcome: 'requeued', runSeconds: undefined });
  if (mode === 'sync') {
    // Whoever gets it next answers it without running it (I2).
    job.delivery.nack({ requeue: true });
    return;
  }
  // Not at once: the reason would still be there. The broker delivers no other meanwhile.
  const pauseMs = requeueBaseMs + fullJitterMs(6, requeueBaseMs, requeueMaxMs);
  const nack = (): void => {
    cancel();
    deps.stopped.removeEventListener('abort', nack);
    job.delivery.nack({ requeue: true });
  };
  const cancel = deps.wheel.schedule(pauseMs, nack);
  deps.stopped.addEventListener('abort', nack);
}
