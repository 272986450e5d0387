import type { ExecutorProcess } from './executor-process.js';
import { readMemoryBytes } from './process-usage.js';

/** Reading the memory of a process takes some microseconds each; a call in between may be as short. */
const weighEveryMs = 1000;
/** What was not used for so long may go whoever has how many. */
const coldAfterMs = 300_000;
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
 * I1  At most `max` are kept, and together about `maxBytes`. Beyond it the owner that has most of it loses the one it
 *     used least recently, so that nobody pushes out those of everybody else. What is cold goes first.
 * I2  Memory is looked at when one comes back, once a second, so that it costs nothing
 *     while calls are short; a single process is bounded by the watchdog.
 */
export class KeptProcesses {
  readonly #options: Required<KeptOptions>;
  readonly #idle = new Set<ExecutorProcess>();
  readonly #keptSinceMs = new WeakMap<ExecutorProcess, number>();
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

  has(process: ExecutorProcess): boolean {
    return this.#idle.has(process);
  }

  delete(process: ExecutorProcess): void {
    this.#idle.delete(process);
  }

  /** Keeps a process. Answers those that are kept no longer. */
  add(process: ExecutorProcess): ExecutorProcess[] {
    this.#idle.add(process);
    this.#keptSinceMs.set(process, this.#options.nowMs());
    return [...this.#takeSurplus(), ...this.#takeHeavy()];
  }

  #takeSurplus(): ExecutorProcess[] {
    const taken: ExecutorProcess[] = [];
    while (this.#idle.size > this.#options.max) {
      const [last] = this.#idle;
      const one = this.#findDispensable(() => 1) ?? last;
      if (one === undefined) break;
      this.#idle.delete(one);
      taken.push(one);
    }
    return taken;
  }

  #takeHeavy(): ExecutorProcess[] {
    const nowMs = this.#options.nowMs();
    if (this.#idle.size <= alwaysKept || nowMs - this.#weighedMs < weighEveryMs) return [];
    this.#weighedMs = nowMs; // I2
    const weighed = new Map(
      [...this.#idle].map((process) => [process, this.#options.memoryBytesOf(process)]),
    );
    const weightOf = (process: ExecutorProcess): number => weighed.get(process) ?? 0;
    let bytes = [...weighed.values()].reduce((sum, one) => sum + one, 0);
    const taken: ExecutorProcess[] = [];
    while (bytes > this.#options.maxBytes) {
      const one = this.#findDispensable(weightOf);
      if (one === undefined) break;
      bytes -= weightOf(one);
      this.#idle.delete(one);
      taken.push(one);
    }
    return taken;
  }

  /** The one to go (I1), never the one that was used last. */
  #findDispensable(weightOf: (process: ExecutorProcess) => number): ExecutorProcess | undefined {
    const others = [...this.#idle].slice(0, -alwaysKept);
    const [coldest] = others;
    if (coldest === undefined) return undefined;
    if (this.#options.nowMs() - (this.#keptSinceMs.get(coldest) ?? 0) > coldAfterMs) return coldest;
    const shares = new Map<string | undefined, number>();
    for (const process of this.#idle)
      shares.set(process.owner, (shares.get(process.owner) ?? 0) + weightOf(process));
    const shareOf = ({ owner }: ExecutorProcess): number => shares.get(owner) ?? 0;
    return others.reduce((found, process) => (shareOf(process) > shareOf(found) ? process : found), coldest);
  }
}
