/**
 * Stands before every call of a store. Stages: open → closing (new calls are refused, running ones end) → closed.
 *
 * I1 Every call ends by `timeoutMs`, whatever the database does; its statements have deadlines of their own.
 * I2 At most `maxCalls` calls are under way; more are refused at once instead of waiting in memory.
 * I3 `close` lets running calls end before connections go, but never waits longer than `timeoutMs`.
 */
import { AppError, DeadlineWheel, hasCode, type Logger } from '@gantry/kernel';

export interface CallGuardOptions {
  readonly timeoutMs: number;
  readonly maxCalls: number;
  readonly location: string;
  readonly logger: Logger;
}

export class CallGuard {
  readonly #options: CallGuardOptions;
  readonly #wheel = new DeadlineWheel();
  #calls = 0;
  #isClosing = false;
  #isFailing = false;
  #onIdle: (() => void) | undefined;

  constructor(options: CallGuardOptions) {
    this.#options = options;
  }

  /** The same object with every method guarded. */
  wrap<T extends object>(target: T): T {
    const guarded = new Map<PropertyKey, unknown>();
    return new Proxy(target, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name);
        if (typeof member !== 'function') return member;
        if (!guarded.has(name)) {
          guarded.set(name, (...args: unknown[]) => this.run(String(name), () => member.apply(object, args)));
        }
        return guarded.get(name);
      },
    });
  }

  /** @throws {AppError} store-unavailable when it is late, refused or closed; whatever `work` throws */
  async run<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { maxCalls, location } = this.#options;
    if (this.#isClosing) throw new AppError('store-unavailable', 'The store is closed');
    // I2
    if (this.#calls >= maxCalls) {
      throw new AppError(
        'store-unavailable',
        `The store ${location} has ${maxCalls} calls under way; try again later`,
      );
    }
    this.#calls += 1;
    const running = this.#counted(work);
    try {
      const result = await this.#inTime(what, running);
      this.#noteSuccess();
      return result;
    } catch (error) {
      if (hasCode(error, 'store-unavailable')) this.#noteFailure(error);
      throw error;
    }
  }

  /** Refuses new calls and waits for the running ones. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#calls > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        // I3
        this.#wheel.schedule(this.#options.timeoutMs, resolve);
      });
    }
    this.#wheel.clear();
  }

  // I1
  #inTime<T>(what: string, work: Promise<T>): Promise<T> {
    const { timeoutMs, location } = this.#options;
    return new Promise<T>((resolve, reject) => {
      const cancel = this.#wheel.schedule(timeoutMs, () =>
        reject(
          new AppError(
            'store-unavailable',
            `The store ${location} did not answer ${what} within ${timeoutMs} ms`,
          ),
        ),
      );
      // Both outcomes are handled, also those that come after the deadline.
      void work.then(resolve, reject).finally(cancel);
    });
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.#calls -= 1;
    if (this.#calls === 0) this.#onIdle?.();
  }

  #noteSuccess(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.logger.info('store.recovered', { location: this.#options.location });
  }

  /** Only the first of a row of failures: a lost database fails thousands of calls for one reason. */
  #noteFailure(error: AppError): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.logger.error('store.unavailable', {
      location: this.#options.location,
      detail: error.message,
    });
  }
}
