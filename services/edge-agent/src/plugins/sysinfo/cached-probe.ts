/**
 * A value that is dear to read, or whose reading may hang: a process, a mount that does not answer.
 *
 * I1. One reading at a time, whoever asks; one that is late is not started a second time.
 * I2. Nobody waits longer than `timeoutMs`: then the last known value is given, marked as stale.
 * I3. After readings that failed the pause doubles, so that what hangs is not piled up.
 */
import { type Clock, withDeadline } from '@gantry/kernel';

export interface ProbeOptions<T> {
  readonly read: () => Promise<T>;
  /** Until a first reading succeeds. */
  readonly initial: T;
  readonly maxAgeMs: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export interface ProbedValue<T> {
  readonly value: T;
  readonly isStale: boolean;
}

const maxPauseMs = 3600_000;

export class CachedProbe<T> {
  readonly #options: ProbeOptions<T>;
  #value: T;
  #hasValue = false;
  #readAtMs = 0;
  #failures = 0;
  #failedAtMs = 0;
  #reading: Promise<void> | undefined;

  constructor(options: ProbeOptions<T>) {
    this.#options = options;
    this.#value = options.initial;
  }

  /** Never rejects. */
  async get(): Promise<ProbedValue<T>> {
    const { clock, maxAgeMs, timeoutMs } = this.#options;
    const isFresh = this.#hasValue && clock.monotonicMs() - this.#readAtMs < maxAgeMs;
    if (!isFresh && (this.#reading !== undefined || !this.#isPausing())) {
      this.#reading ??= this.#read();
      await withDeadline(this.#reading, timeoutMs, 'a probe').catch(() => undefined);
    }
    const ageMs = clock.monotonicMs() - this.#readAtMs;
    return { value: this.#value, isStale: !this.#hasValue || ageMs >= maxAgeMs };
  }

  /** I3 */
  #isPausing(): boolean {
    if (this.#failures === 0) return false;
    const pauseMs = Math.min(maxPauseMs, this.#options.maxAgeMs * 2 ** Math.min(this.#failures - 1, 12));
    return this.#options.clock.monotonicMs() - this.#failedAtMs < pauseMs;
  }

  async #read(): Promise<void> {
    try {
      this.#value = await this.#options.read();
      this.#hasValue = true;
      this.#failures = 0;
      this.#readAtMs = this.#options.clock.monotonicMs();
    } catch {
      // The reader of the value learns it from `isStale`.
      this.#failures += 1;
      this.#failedAtMs = this.#options.clock.monotonicMs();
    } finally {
      this.#reading = undefined;
    }
  }
}
