import type { ExecutorProcess } from './executor-process.js';
import { readMemoryBytes } from './process-usage.js';

/** Reading the memory of a process takes some microseconds each; a call in between may be as short. */
const weighEveryMs = 1000;
/** The one that was used last is kept whatever it weighs: without it the next call of its owner starts cold. */
const alwaysKept = 1;

export interface KeptOptions {
  readonly max: number;
  /** Memory of all of them together, scratch included where the kernel has an account; else pages they share count for each. */
  readonly maxBytes: number;
  /** For tests. */
  readonly memoryBytesOf?: (process: ExecutorProcess) => number;
  readonly nowMs?: () => number;
}

/**
 * Idle processes that have an owner, least recently used first.
 *
 * I1  At most `max`; beyond it the least recently used goes.
 * I2  Together about `maxBytes` at most. It is looked at when one comes back, once a second, so that it costs nothing
 *     while calls are short; a single process is bounded by the watchdog.
 */
export class KeptProcesses {
  readonly #options: Required<KeptOptions>;
  readonly #idle = new Set<ExecutorProcess>();
  #weighedMs = Number.NEGATIVE_INFINITY;

  constructor(options: KeptOptions) {
    this.#options = {
      memoryBytesOf: readMemoryBytes,
      nowMs: () => performance.now(),
      ...options,
    };
  }

  get size(): number {
    return this.#idle.size;
  }

  /** Least recently used first. */
  [Symbol.iterator](): IterableIterator<ExecutorProcess> {
    return this.#idle.values();
  }

  delete(process: ExecutorProcess): void {
    this.#idle.delete(process);
  }

  /** Keeps a process. Answers those that are kept no longer. */
  add(process: ExecutorProcess): ExecutorProcess[] {
    this.#idle.add(process);
    return [...this.#takeColdest(this.#idle.size - this.#options.max), ...this.#takeHeavy()];
  }

  #takeColdest(count: number): ExecutorProcess[] {
    if (count <= 0) return [];
    const coldest = [...this.#idle].slice(0, count);
    for (const process of coldest) this.#idle.delete(process);
    return coldest;
  }

  #takeHeavy(): ExecutorProcess[] {
    const nowMs = this.#options.nowMs();
    if (this.#idle.size <= alwaysKept || nowMs - this.#weighedMs < weighEveryMs) return [];
    this.#weighedMs = nowMs;
    const weighed = [...this.#idle].map((process) => this.#options.memoryBytesOf(process));
    let bytes = weighed.reduce((sum, one) => sum + one, 0);
    let count = 0;
    while (bytes > this.#options.maxBytes && count < weighed.length - alwaysKept) {
      bytes -= weighed[count] ?? 0;
      count += 1;
    }
    return this.#takeColdest(count);
  }
}
