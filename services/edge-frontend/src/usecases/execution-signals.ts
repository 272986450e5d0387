/**
 * Wakes those who wait for the end of an execution.
 *
 * I1  A wake-up is a hint: another edge frontend may have seen the end, so waiters look at the store every second too.
 * I2  Bounded; a waiter that finds no place is answered without waiting.
 */
import { delay } from '@gantry/kernel';

export interface Reading<T> {
  /** Nothing more will change. */
  readonly isDone: boolean;
  readonly value: T;
}

const lookAgainMs = 1000;

export class ExecutionSignals {
  readonly #maxWaiters: number;
  readonly #waiters = new Map<string, Set<AbortController>>();
  #size = 0;
  #isClosed = false;

  constructor(maxWaiters: number) {
    this.#maxWaiters = maxWaiters;
  }

  get size(): number {
    return this.#size;
  }

  wake(executionId: string): void {
    for (const woken of this.#waiters.get(executionId) ?? []) woken.abort();
  }

  /** Lets nobody wait any longer: the service is shutting down. */
  close(): void {
    this.#isClosed = true;
    for (const executionId of this.#waiters.keys()) this.wake(executionId);
  }

  /**
   * Reads at once, at every wake-up and every second, until a reading is done, `waitMs` are over or `signal` aborts.
   * @returns the last reading
   */
  async until<T>(
    executionId: string,
    read: () => Promise<Reading<T>>,
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<T> {
    const endMs = performance.now() + waitMs;
    if (waitMs <= 0 || this.#size >= this.#maxWaiters) return (await read()).value; // I2
    this.#size += 1;
    try {
      for (;;) {
        // Listened to before it is read: an end in between is not missed.
        const woken = this.#listen(executionId);
        try {
          const { isDone, value } = await read();
          const leftMs = endMs - performance.now();
          if (isDone || leftMs <= 0 || signal.aborted || this.#isClosed) return value;
          await pause(Math.min(leftMs, lookAgainMs), AbortSignal.any([signal, woken.signal])); // I1
        } finally {
          this.#forget(executionId, woken);
        }
      }
    } finally {
      this.#size -= 1;
    }
  }

  #listen(executionId: string): AbortController {
    const woken = new AbortController();
    const waiters = this.#waiters.get(executionId);
    if (waiters === undefined) this.#waiters.set(executionId, new Set([woken]));
    else waiters.add(woken);
    return woken;
  }

  #forget(executionId: string, woken: AbortController): void {
    const waiters = this.#waiters.get(executionId);
    if (waiters?.delete(woken) === true && waiters.size === 0) this.#waiters.delete(executionId);
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, signal).catch(() => undefined);
