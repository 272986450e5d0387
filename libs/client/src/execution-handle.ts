import { type ExecutionStatus, type ExecutionView, isTerminal } from '@gantry/contracts';
import { type CallResult, toCallResultOfView } from './call-result.js';
import type { EdgeClient } from './edge-client.js';
import { GantryError, isGantryError } from './gantry-error.js';
import type { LanguageCodec } from './language-codec.js';
import { pause, retryDelayMs } from './pause.js';
import type { RequestOptions } from './transport.js';

/** One long poll; the platform takes 60 s at most and proxies often cut at 60 s. */
const pollSeconds = 25;

/** An execution that was accepted. It goes on without this object: keep `id` and read it later. */
export interface ExecutionHandle<T> {
  readonly id: string;
  /** The edge frontend that accepted it. */
  readonly url: string;
  /**
   * Waits for the end, 60 s unless given; short troubles of the connection are waited out.
   * @throws {GantryError} timeout (it goes on; ask again), execution-not-found, result-expired
   */
  result(options?: RequestOptions): Promise<CallResult<T>>;
  status(options?: RequestOptions): Promise<ExecutionStatus>;
  /** Cancels it, queued or running. @throws {GantryError} execution-finished when it had ended */
  cancel(options?: RequestOptions): Promise<void>;
  /** What the function wrote. */
  logs(options?: RequestOptions): Promise<string>;
}

/** A handle on the execution `id` at `edge`, of a function whose results `codec` reads. */
export function createExecutionHandle<T>(
  edge: EdgeClient,
  id: string,
  codec: LanguageCodec,
): ExecutionHandle<T> {
  return {
    id,
    url: edge.url,
    result: async (options) => toCallResultOfView(await waitForEnd(edge, id, options ?? {}), codec),
    status: async (options) => (await edge.readExecution(id, options)).status,
    cancel: async (options) => void (await edge.cancelExecution(id, options)),
    logs: (options) => edge.readLogs(id, options),
  };
}

async function waitForEnd(
  edge: EdgeClient,
  id: string,
  { timeoutMs = 60_000, signal }: RequestOptions,
): Promise<ExecutionView> {
  const deadlineMs = performance.now() + timeoutMs;
  for (let attempt = 0; ; ) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0)
      throw new GantryError({
        code: 'timeout',
        detail: `Execution ${id} has not ended within ${timeoutMs} ms`,
      });
    try {
      const waitSeconds = Math.min(pollSeconds, Math.ceil(leftMs / 1000));
      // The answer of a long poll comes a little after its time.
      const pollMs = Math.min(leftMs, waitSeconds * 1000) + 2000;
      const view = await edge.readExecution(id, { waitSeconds, timeoutMs: pollMs, signal });
      if (isTerminal(view.status)) return view;
      attempt = 0;
    } catch (error) {
      if (!isGantryError(error) || !isPassing(error)) throw error;
      attempt += 1;
      await pause(
        Math.min(retryDelayMs(attempt, error.retryAfterMs), Math.max(0, deadlineMs - performance.now())),
        signal,
      );
    }
  }
}

/** Reading changes nothing, so anything that may pass is tried again. */
const isPassing = (error: GantryError): boolean =>
  error.isRetryable || error.code === 'unreachable' || error.code === 'timeout';
