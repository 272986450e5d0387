import type { Clock } from '@gantry/kernel';
import { LRUCache } from 'lru-cache';

/** Ids that are remembered for a while: at most `max`, each for `ttlMs`. */
export class RecentIds {
  readonly #ids: LRUCache<string, true>;

  constructor(options: { max: number; ttlMs: number; clock: Clock }) {
    const { max, ttlMs, clock } = options;
    this.#ids = new LRUCache({ max, ttl: ttlMs, perf: { now: () => Math.max(1, clock.monotonicMs()) } });
  }

  add(id: string): void {
    this.#ids.set(id, true);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Whether it was there; it is not afterwards. */
  take(id: string): boolean {
    const had = this.#ids.has(id);
    if (had) this.#ids.delete(id);
    return had;
  }
}
