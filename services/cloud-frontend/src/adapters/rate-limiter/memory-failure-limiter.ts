/**
 * Failed attempts of the last minute, in memory.
 *
 * I1 A key is forgotten a minute after its first failure.
 * I2 At most `maxKeys` keys are kept; the oldest is forgotten first. One that fails again counts as new.
 */
import { createHash } from 'node:crypto';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { FailureLimiter } from '../../ports.js';

const windowSeconds = 60;

/** @param maxKeys hashing bounds failures to some thousands a minute; this only guards against surprises */
export function memoryFailureLimiter(failuresPerMinute: number, maxKeys = 10_000): FailureLimiter {
  const limiter = new RateLimiterMemory({ points: failuresPerMinute, duration: windowSeconds });
  const keys = new Set<string>();
  return {
    blockedForMs: async (key) => {
      const state = await limiter.get(digest(key));
      if (state === null || state.consumedPoints < failuresPerMinute) return 0;
      return Math.max(0, state.msBeforeNext);
    },
    recordFailure: async (key) => {
      const hashed = digest(key);
      keys.delete(hashed);
      keys.add(hashed);
      await limiter.penalty(hashed);
      // I2
      const [oldest] = keys;
      if (keys.size <= maxKeys || oldest === undefined) return;
      keys.delete(oldest);
      await limiter.delete(oldest);
    },
  };
}

/** Names come from strangers and can be as long as a header. */
const digest = (key: string): string => createHash('sha256').update(key).digest('base64');
