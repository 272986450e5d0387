import type { Clock } from '@gantry/kernel';
import type { Job } from './job.js';
import { planNext } from './plan-next.js';

/**
 * One slot of one flavour: holds at most one synchronous and one asynchronous delivery and runs one at a time.
 *
 * I1  At most one job runs.
 * I2  What is held was not started: it can be given back unharmed.
 */
export class Lane {
  readonly #clock: Clock;
  readonly #run: (job: Job) => Promise<void>;
  #sync: Job | undefined;
  #async: Job | undefined;
  #asyncSinceMs = 0;
  #syncInARow = 0;
  #isRunning: boolean = false;

  /** @param run must not reject */
  constructor(clock: Clock, run: (job: Job) => Promise<void>) {
    this.#clock = clock;
    this.#run = run;
  }

  /**
   * Takes a job. The broker delivers one of each kind at most, so a job that is still held lost its delivery with a
   * connection: it gives way and is returned.
   */
  offer(job: Job): Job | undefined {
    const displaced = job.request.mode === 'sync' ? this.#sync : this.#async;
    if (job.request.mode === 'sync') {
      this.#sync = job;
    } else {
      this.#async = job;
      this.#asyncSinceMs = this.#clock.monotonicMs();
    }
    this.#pump();
    return displaced;
  }

  /** Gives back what was not started (I2). */
  takeHeld(): Job[] {
    const held = [this.#sync, this.#async].filter((job) => job !== undefined);
    this.#sync = undefined;
    this.#async = undefined;
    return held;
  }

  #pump(): void {
    if (this.#isRunning) return; // I1
    const job = this.#next();
    if (job === undefined) return;
    this.#isRunning = true;
    void this.#run(job).finally(() => {
      this.#isRunning = false;
      this.#pump();
    });
  }

  #next(): Job | undefined {
    const next = planNext({
      hasSync: this.#sync !== undefined,
      hasAsync: this.#async !== undefined,
      syncInARow: this.#syncInARow,
      asyncWaitedMs: this.#clock.monotonicMs() - this.#asyncSinceMs,
    });
    if (next === 'none') return undefined;
    const job = next === 'sync' ? this.#sync : this.#async;
    if (next === 'sync') this.#sync = undefined;
    else this.#async = undefined;
    this.#syncInARow = next === 'sync' ? this.#syncInARow + 1 : 0;
    return job;
  }
}
