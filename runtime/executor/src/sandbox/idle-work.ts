import { availableParallelism } from 'node:os';
import type { CallTally } from './call-tally.js';

/**
 * Adds up the processor time that a process uses while it has no call, over as many calls as there are.
 *
 * I1  A stretch without a call counts in full. One with calls counts with what goes beyond their time on all
 *     processors, because threads of a call cannot be told from what was left behind.
 * I2  A process may always use a little, and for every thread that its program boots beside a call a little more; what
 *     it may use and did not is forgotten after a while.
 */
const msPerTick = 10;
/** Share of one processor that a process may use without a call: timers, and what its engine tidies up. */
const restingShare = 0.1;
/** Processor time of booting a thread is some 80 ms. */
const msPerBoot = 250;
const maxCreditMs = 2500;
/** Processor time beyond all that. A collection of garbage after a large call takes less. */
const maxExcessMs = 500;

interface Look {
  readonly atMs: number;
  readonly ticks: number;
  readonly calls: number;
  readonly boots: number;
  readonly busyMs: number;
  readonly isBusy: boolean;
  /** Negative: it may still use so much. */
  readonly excessMs: number;
}

export class IdleWork {
  readonly #processors: number;
  #last: Look | undefined;

  constructor(processors: number = availableParallelism()) {
    this.#processors = processors;
  }

  /** @returns whether it has used too much without a call. */
  look(ticks: number, isBusy: boolean, { calls, boots, busyMs }: CallTally, atMs: number): boolean {
    const last = this.#last;
    const seen = { atMs, ticks, calls, boots, busyMs, isBusy };
    // What it used before is not known to be without a call.
    const excessMs = last === undefined ? -boots * msPerBoot : this.#excessAfter(last, seen);
    this.#last = { ...seen, excessMs: Math.max(excessMs, -maxCreditMs) };
    return excessMs > maxExcessMs;
  }

  #excessAfter(last: Look, seen: Omit<Look, 'excessMs'>): number {
    const usedMs = (seen.ticks - last.ticks) * msPerTick;
    const wasIdle = !last.isBusy && !seen.isBusy && last.calls === seen.calls;
    const inCallsMs = wasIdle ? 0 : (seen.busyMs - last.busyMs) * this.#processors;
    const restingMs = (seen.atMs - last.atMs) * restingShare;
    const { excessMs } = last;
    // Towards nothing from both sides: I2.
    const kept = excessMs > 0 ? Math.max(0, excessMs - restingMs) : Math.min(0, excessMs + restingMs);
    return kept + Math.max(0, usedMs - inCallsMs) - (seen.boots - last.boots) * msPerBoot; // I1
  }
}
