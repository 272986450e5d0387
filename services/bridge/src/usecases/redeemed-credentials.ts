/**
 * Credentials that were given out a moment ago, for agents that did not get the answer.
 *
 * I1. Found by a hash of name, token and nonce only; none of them is kept.
 * I2. For ten minutes, in memory, at most `maxKept`: a bridge that was started again knows none.
 */
import type { NodeCredential } from '@gantry/contracts';
import type { Clock } from '@gantry/kernel';

export interface RedeemedCredential {
  readonly credential: NodeCredential;
  readonly credentialId: string;
}

const keptMs = 600_000;
const maxKept = 1000;

export class RedeemedCredentials {
  readonly #clock: Clock;
  readonly #kept = new Map<string, RedeemedCredential & { readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  keep(hash: string, redeemed: RedeemedCredential): void {
    this.#kept.set(hash, { ...redeemed, untilMs: this.#clock.monotonicMs() + keptMs });
    for (const [oldest, { untilMs }] of this.#kept) {
      if (this.#kept.size <= maxKept && untilMs > this.#clock.monotonicMs()) break;
      this.#kept.delete(oldest);
    }
  }

  find(hash: string): RedeemedCredential | undefined {
    const kept = this.#kept.get(hash);
    return kept !== undefined && kept.untilMs > this.#clock.monotonicMs() ? kept : undefined;
  }
}
