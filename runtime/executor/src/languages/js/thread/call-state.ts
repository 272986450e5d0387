import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import type { SharedCall } from '../shared-call.js';

// The global object is shared with the function: what is needed of it is taken while this file is loaded.
const toNumber = Number;
const { round } = Math;
const OwnAbortController = AbortController;
const OwnError = Error;
const { abort: abortedSignal } = AbortSignal;

/** Progress is sent at most this often; what comes sooner is dropped. */
const progressEveryMs = 500;

/** One running call of this thread. */
export interface CurrentCall {
  readonly executionId: string;
  /** Epoch milliseconds at which it is stopped. */
  readonly deadlineMs: number;
  /** Ends the call with what went wrong outside of its own promise. */
  fail(error: unknown, how: string): void;
  signal?: AbortController;
}

/**
 * The call that runs in this thread, and what its function sees of it.
 * I1  At most one call runs at a time; between calls there is none, and logs then go nowhere.
 */
export class CallState {
  readonly shared: SharedCall;
  readonly #reportProgress: (perMille: number) => void;
  #current: CurrentCall | undefined;
  #lastProgressMs = 0;

  constructor(shared: SharedCall, reportProgress: (perMille: number) => void) {
    this.shared = shared;
    this.#reportProgress = reportProgress;
    void this.#watchAborts();
  }

  get current(): CurrentCall | undefined {
    return this.#current;
  }

  begin(call: CurrentCall): void {
    this.#current = call;
    this.#lastProgressMs = 0;
  }

  end(): void {
    this.#current = undefined;
  }

  log(text: string): void {
    if (this.#current !== undefined) this.shared.append(text);
  }

  /** Aborted when the call is cancelled or its time is over, shortly before the thread is killed. */
  signal(): AbortSignal {
    const call = this.#current;
    if (call === undefined) return abortedSignal();
    call.signal ??= new OwnAbortController();
    return call.signal.signal;
  }

  progress(share: unknown): void {
    const ratio = toNumber(share);
    const now = performance.now();
    if (this.#current === undefined || !(ratio >= 0 && ratio <= 1)) return;
    if (this.#lastProgressMs !== 0 && now - this.#lastProgressMs < progressEveryMs) return;
    this.#lastProgressMs = now;
    this.#reportProgress(round(ratio * 1000));
  }

  async #watchAborts(): Promise<void> {
    // One wait for the life of the thread: an abort ends in the thread's death or, if the function heeded the
    // signal in time, in a reset of the word.
    for (;;) {
      const reason = await this.shared.waitForAbort();
      const call = this.#current;
      if (reason !== 'none' && call !== undefined) {
        call.signal?.abort(
          new OwnError(reason === 'timeout' ? 'the execution time is over' : 'the execution was cancelled'),
        );
      }
      await wait(20, undefined, { ref: false });
    }
  }
}
