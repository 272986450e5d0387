/**
 * Answers that may be a little old.
 *
 * I1. One question at a time: whoever asks meanwhile gets the same answer, `force` too, as it is as new as it gets.
 * I2. A failure is not kept.
 */
import type { Clock } from '@gantry/kernel';

export class Cached<T> {
  readonly #ask: () => Promise<T>;
  readonly #ttlMs: () => number;
  readonly #clock: Clock;
  #held: { readonly value: T; readonly atMs: number } | undefined;
  #asking: Promise<T> | undefined;

  constructor(clock: Clock, ttlMs: () => number, ask: () => Promise<T>) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#ask = ask;
  }

  get({ force = false }: { readonly force?: boolean } = {}): Promise<T> {
    const held = this.#held;
    if (!force && held !== undefined && this.#clock.monotonicMs() - held.atMs < this.#ttlMs())
      return Promise.resolve(held.value);
    // I1
    this.#asking ??= this.#ask()
      .then((value) => {
        this.#held = { value, atMs: this.#clock.monotonicMs() };
        return value;
      })
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }
}
