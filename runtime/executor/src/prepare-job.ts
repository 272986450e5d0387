import type { ExecutionErrorCode, ExecutionRequest } from '@gantry/contracts/execution';
import { isAppError, messageOf } from '@gantry/kernel';
import type { ExecuteDeps } from './execute-deps.js';
import type { Job } from './job.js';
import { type Ending, failed, RequeueError } from './job-ending.js';
import type { ExecutorProcess } from './sandbox/executor-process.js';
import { type GrantedLimits, grantLimits } from './served-flavour.js';
import type { FlavourExecutors } from './start-executors.js';

const parametersTimeoutMs = 10_000;

/** All that a run needs, or why there is none. */
export type Prepared =
  | {
      readonly kind: 'ready';
      readonly executors: FlavourExecutors;
      readonly process: ExecutorProcess;
      readonly limits: GrantedLimits;
      readonly parameters: Buffer;
      readonly loadCode: () => Promise<Buffer>;
    }
  | { readonly kind: 'failed'; readonly ending: Ending };

export function release(prepared: Prepared): void {
  if (prepared.kind === 'ready') prepared.executors.pool.release(prepared.process);
}

/** @throws {RequeueError} for asynchronous work, when something is out of reach for now */
export async function prepare(job: Job, deps: ExecuteDeps): Promise<Prepared> {
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
  const executors = deps.executors.flavours.get(request.flavour);
  const lack = whatIsMissing(request, executors, deps);
  if (executors === undefined || lack !== undefined) {
    const text = `flavour "${request.flavour}" has no runtime for ${request.language}: ${lack}`;
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
  const limits = grantLimits(executors.flavour, request.limits, request.runMs);
  const process = await acquire(request, executors, limits, deps);
  if (process === undefined) return refused('worker-lost', 'no executor process could be started');
  return { kind: 'ready', executors, process, limits, parameters, loadCode };
}

/** Undefined when the language can run. */
function whatIsMissing(
  { language }: ExecutionRequest,
  executors: FlavourExecutors | undefined,
  deps: ExecuteDeps,
): string | undefined {
  if (executors === undefined) return 'this runtime does not serve it';
  const { languages } = executors.flavour;
  if (!languages.includes(language)) return `it is declared for ${languages.join(', ')} only`;
  const state = deps.executors.stateOf(language);
  return state === 'available' ? undefined : state.missing;
}

/** @throws {RequeueError} for asynchronous work, which can wait until there is a process again */
async function acquire(
  { language, owner, functionOwner, functionSha256, mode, isFresh }: ExecutionRequest,
  { pool }: FlavourExecutors,
  { shape }: GrantedLimits,
  deps: ExecuteDeps,
): Promise<ExecutorProcess | undefined> {
  try {
    return await pool.acquire({
      ...{ language, owner, functionOwner, functionSha256, shape },
      isFresh: isFresh === true,
    });
  } catch (error) {
    deps.logger.error('no executor process could be started', {
      op: 'executor.start',
      outcome: 'failed',
      reason: messageOf(error),
    });
    if (mode === 'async') throw new RequeueError(messageOf(error));
    return undefined;
  }
}
