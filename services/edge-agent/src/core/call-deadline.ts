import { AppError, type DeadlineWheel } from '@gantry/kernel';

/**
 * The deadline of one call, counted anew with each sign of life. One entry in the wheel whatever the number of
 * `touch()`es: they only move the time that the entry looks at when it is due.
 */
export class CallDeadline {
  /** Rejects with plugin-timeout; never resolves. */
  readonly over: Promise<never>;
  readonly #wheel: DeadlineWheel;
  readonly #timeoutMs: number;
  #lastSignMs = performance.now();
  #reject: (error: AppError) => void = () => undefined;
  #cancel: () => void = () => undefined;

  constructor(wheel: DeadlineWheel, timeoutMs: number) {
    this.#wheel = wheel;
    this.#timeoutMs = timeoutMs;
    this.over = new Promise<never>((_resolve, reject) => {
      this.#reject = reject;
    });
    this.over.catch(() => undefined);
    this.#wait(timeoutMs);
  }

  touch(): void {
    this.#lastSignMs = performance.now();
  }

  clear(): void {
    this.#cancel();
  }

  #wait(delayMs: number): void {
    this.#cancel = this.#wheel.schedule(delayMs, () => {
      const leftMs = this.#lastSignMs + this.#timeoutMs - performance.now();
      if (leftMs > 0) this.#wait(leftMs);
      else
        this.#reject(
          new AppError('plugin-timeout', `The plugin gave no answer within ${this.#timeoutMs / 1000} s`),
        );
    });
  }
}
