/**
 * A few slow tasks at a time, and a short queue before them.
 *
 * I1 At most `concurrency` tasks run.
 * I2 At most `maxWaiting` wait, first come first served; one more is refused at once.
 * I3 None waits longer than `maxWaitMs`.
 */
import { DeadlineWheel } from '@gantry/kernel';

export interface BoundedWorkOptions {
  readonly concurrency: number;
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
  /** What a refused caller gets. */
  readonly refusal: () => Error;
}

export class BoundedWork {
  readonly #options: BoundedWorkOptions;
  readonly #wheel = new DeadlineWheel();
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(options: BoundedWorkOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Runs `work` when it is its turn. @throws {Error} the refusal, or what `work` throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#options.concurrency) this.#running += 1;
    else await this.#turn();
    try {
      return await work();
    } finally {
      this.#handOn();
    }
  }

  #turn(): Promise<void> {
    const { maxWaiting, maxWaitMs, refusal } = this.#options;
    // I2
    if (this.#waiting.size >= maxWaiting) return Promise.reject(refusal());
    return new Promise((resolve, reject) => {
      const start = () => {
        cancel();
        resolve();
      };
      // I3
      const cancel = this.#wheel.schedule(maxWaitMs, () => {
        this.#waiting.delete(start);
        reject(refusal());
      });
      this.#waiting.add(start);
    });
  }

  /** The place goes to the next in the queue without being free in between. I1 */
  #handOn(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
