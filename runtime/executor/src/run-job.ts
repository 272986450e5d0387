import type { DeadlineWheel } from '@gantry/kernel';
import type { ExecuteDeps } from './execute-deps.js';
import type { Job } from './job.js';
import { type Ending, failed, RequeueError } from './job-ending.js';
import type { Prepared } from './prepare-job.js';
import type { CallOutcome, ExecutorCall } from './sandbox/executor-process.js';

/** A call shorter than this reports only its end. */
const startedAfterMs = 200;
/** How often a synchronous call repeats that it started: a frontend that missed it takes the call for a waiting one. */
const startedEveryMs = 5000;
const progressEveryMs = 450;

type Ready = Extract<Prepared, { kind: 'ready' }>;

/** Runs what was prepared and releases its process. @throws {RequeueError} when it has to be tried again */
export async function runPrepared(
  job: Job,
  attempt: number,
  prepared: Prepared,
  deps: ExecuteDeps,
): Promise<Ending> {
  if (prepared.kind === 'failed') return prepared.ending;
  const { request } = job;
  const { executors, process } = prepared;
  const from = { executionId: request.executionId, attempt, runtimeId: deps.runtimeId };
  const startedAtMs = deps.clock.now();
  const stopTelling =
    request.mode === 'sync'
      ? tellRepeatedly(deps.wheel, () => deps.results.notify({ kind: 'started', ...from, startedAtMs }))
      : undefined;
  try {
    job.whileRunning(() => process.abort());
    if (job.isAbandoned) throw new RequeueError('the runtime stops');
    if (job.isCancelled) return failed(request, 'cancelled', 'stopped before it started');
    const outcome = await process.run({
      ...toCall(job, prepared),
      onProgress: atMostEvery(progressEveryMs, deps, (perMille) =>
        deps.results.notify({ kind: 'progress', ...from, progressPerMille: Math.round(perMille) }),
      ),
    });
    return toEnding(job, outcome, prepared, startedAtMs);
  } finally {
    stopTelling?.();
    job.whileRunning(undefined);
    executors.pool.release(process);
  }
}

function toCall({ request }: Job, { limits, loadCode, parameters }: Ready): ExecutorCall {
  const { executionId, language, functionSha256, isFresh } = request;
  const { runMs, resultBytes, logBytes } = limits;
  return {
    ...{ executionId, language, functionSha256, parameters, loadCode },
    ...{ runMs, resultBytes, logBytes, isFresh: isFresh === true },
  };
}

/** What a program adds to the log when it had to cut it. */
const markerBytes = 64;

function toEnding({ request }: Job, outcome: CallOutcome, { limits }: Ready, startedAtMs: number): Ending {
  const { runMs } = outcome;
  // A program that does not keep the limit of the call gets no more through than this.
  const log = outcome.log.subarray(0, limits.logBytes + markerBytes);
  if (outcome.kind === 'succeeded') {
    if (outcome.answer.length > answerBytesOf(limits.resultBytes)) {
      const text = `the result is larger than ${limits.resultBytes} bytes`;
      return { ...failed(request, 'result-too-large', text), log, startedAtMs, runMs };
    }
    return { status: 'succeeded', result: outcome.answer, log, startedAtMs, runMs };
  }
  // Nothing is known to have gone wrong with the function itself.
  if (request.mode === 'async' && outcome.code === 'worker-lost')
    throw new RequeueError('the executor was lost');
  return { ...failed(request, outcome.code, outcome.text), log, startedAtMs, runMs };
}

/** A result of so many bytes in base64, with the JSON around it. */
const answerBytesOf = (resultBytes: number): number => 4 * Math.ceil(resultBytes / 3) + 64;

/** Passes on the first of what comes within `everyMs`. */
function atMostEvery(
  everyMs: number,
  { clock }: ExecuteDeps,
  pass: (perMille: number) => void,
): (perMille: number) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (perMille) => {
    const now = clock.monotonicMs();
    if (now - lastMs < everyMs) return;
    lastMs = now;
    pass(perMille);
  };
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
