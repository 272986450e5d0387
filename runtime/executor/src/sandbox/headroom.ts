import type { ExecutorProcess } from './executor-process.js';
import { readResidentBytes } from './process-usage.js';

/** Weighing takes some 40 µs, and a call may be as short; what grows within this is small beside what has to be free. */
const weighEveryMs = 20;

/** The bounds at which the watchdog kills a process. */
export interface MemoryBounds {
  readonly residentBytes: number;
  readonly scratchBytes: number;
}

/** How much processes may still grow. */
export class Headroom {
  readonly #weighed = new WeakMap<ExecutorProcess, { readonly atMs: number; readonly bytes: number }>();

  /** May be negative; without end while nothing is known. */
  bytesOf(process: ExecutorProcess, bounds: MemoryBounds): number {
    const nowMs = performance.now();
    const known = this.#weighed.get(process);
    if (known !== undefined && nowMs - known.atMs < weighEveryMs) return known.bytes;
    const resident = process.pid === undefined ? undefined : readResidentBytes(process.pid);
    const charged = process.memoryBytes() ?? 0;
    const { residentBytes, scratchBytes } = bounds;
    const bytes = Math.min(residentBytes - (resident ?? 0), residentBytes + scratchBytes - charged);
    const seen = resident === undefined && charged === 0 ? Number.POSITIVE_INFINITY : bytes;
    this.#weighed.set(process, { atMs: nowMs, bytes: seen });
    return seen;
  }
}
