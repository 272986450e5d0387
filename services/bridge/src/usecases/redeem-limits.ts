/**
 * How often somebody may come with an enrolment token that is none.
 *
 * I1. By address and name first: behind a proxy all have one address, and nobody's failures keep another's node out.
 *     By address in all, many more.
 * I2. Bounded: beyond `maxKept` the oldest is forgotten.
 */
import { AppError, type Clock } from '@gantry/kernel';

const minuteMs = 60_000;
const maxByName = 20;
const maxByAddress = 1200;
const maxKept = 10_000;

export class RedeemLimits {
  readonly #clock: Clock;
  readonly #failures = new Map<string, { count: number; readonly sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws {AppError} too-many-requests, with the time to wait */
  admit(address: string, name: string): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, max] of limitsOf(address, name)) {
      const known = this.#failures.get(key);
      if (known === undefined || known.count < max) continue;
      const retryAfterMs = known.sinceMs + minuteMs - nowMs;
      if (retryAfterMs > 0)
        throw new AppError('too-many-requests', 'Too many enrolment tokens were refused', { retryAfterMs });
    }
  }

  failed(address: string, name: string): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key] of limitsOf(address, name)) {
      const known = this.#failures.get(key);
      if (known !== undefined && nowMs - known.sinceMs < minuteMs) known.count += 1;
      else {
        this.#failures.delete(key);
        this.#failures.set(key, { count: 1, sinceMs: nowMs });
      }
    }
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= maxKept) break;
      this.#failures.delete(oldest);
    }
  }
}

/** I1 */
const limitsOf = (address: string, name: string): readonly (readonly [string, number])[] => [
  [`${address} ${name.slice(0, 63)}`, maxByName],
  [address, maxByAddress],
];
