import type { FinishedMessage } from '@gantry/broker';
import { fullJitterMs, messageOf } from '@gantry/kernel';
import type { ExecuteDeps } from './execute-deps.js';
import type { Job } from './job.js';
import { type Ending, expired, failed, RequeueError } from './job-ending.js';
import { prepare, release } from './prepare-job.js';
import { runPrepared } from './run-job.js';

/**
 * One execution from its delivery to its acknowledgement. What it needs is got in `prepare-job.ts`; it runs in
 * `run-job.ts`.
 *
 * I1  A delivery is acknowledged only after its result was handed to the broker, or nobody can want it any more.
 * I2  A synchronous call that was redelivered is never run: it may have run before.
 * I3  An asynchronous execution runs, and is reported, only with a lease; what could not be run or handed on goes back
 *     to the queue. The lease comes last before the run: what is out of reach for now must not use up attempts.
 * I4  No synchronous call is started after `expiresAtMs`. For asynchronous executions the lease decides: only the store
 *     knows whether they are still queued.
 */
const leaseTimeoutMs = 2000;
const requeueBaseMs = 200;
const requeueMaxMs = 2000;
/** How long an asynchronous result is offered to the broker before the execution goes back to its queue. */
const asyncPatienceMs = 60_000;

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
    release(prepared);
    throw error;
  }
  if (attempt === 'refused') {
    release(prepared);
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
  if (isExpired(job, deps)) return expired(request); // I4
  if (job.wasRedelivered) {
    return failed(request, 'worker-lost', 'the runtime that took the call was lost; it may have run'); // I2
  }
  return undefined;
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
