import { describe, expect, it } from '@jest/globals';
import { Cached } from './cached.js';

function countingCache() {
  let nowMs = 0;
  let asked = 0;
  let failure: Error | undefined;
  const clock = { now: () => nowMs, monotonicMs: () => nowMs };
  const cached = new Cached(
    clock,
    () => 60_000,
    async () => {
      asked += 1;
      if (failure !== undefined) throw failure;
      return asked;
    },
  );
  return {
    cached,
    forward: (ms: number) => {
      nowMs += ms;
    },
    fail: (error: Error | undefined) => {
      failure = error;
    },
  };
}

describe('an answer that may be a little old', () => {
  it('is asked for once in its time, by however many at once', async () => {
    const { cached, forward } = countingCache();
    expect(await Promise.all([cached.get(), cached.get(), cached.get({ force: true })])).toEqual([1, 1, 1]);
    forward(59_999);
    expect(await cached.get()).toBe(1);
    forward(1);
    expect(await cached.get()).toBe(2);
  });

  it('is asked for anew by force', async () => {
    const { cached } = countingCache();
    await cached.get();
    expect(await cached.get({ force: true })).toBe(2);
    expect(await cached.get()).toBe(2);
  });

  it('is not a failure', async () => {
    const { cached, fail } = countingCache();
    fail(new Error('down'));
    await expect(cached.get()).rejects.toThrow('down');
    fail(undefined);
    expect(await cached.get()).toBe(2);
  });
});
