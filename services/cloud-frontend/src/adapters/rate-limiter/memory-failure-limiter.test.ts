import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { memoryFailureLimiter } from './memory-failure-limiter.js';

describe('memoryFailureLimiter', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('blocks a key from its last allowed failure until a minute after its first', async () => {
    const failures = memoryFailureLimiter(2);
    await failures.recordFailure('a');
    expect(await failures.blockedForMs('a')).toBe(0);
    jest.advanceTimersByTime(20_000);
    await failures.recordFailure('a');
    expect(await failures.blockedForMs('a')).toBe(40_000);
    expect(await failures.blockedForMs('b')).toBe(0);
    jest.advanceTimersByTime(40_000);
    expect(await failures.blockedForMs('a')).toBe(0);
  });

  it('forgets the oldest key rather than growing', async () => {
    const failures = memoryFailureLimiter(1, 2);
    for (const key of ['a', 'b', 'a', 'c']) await failures.recordFailure(key);
    expect(await failures.blockedForMs('b')).toBe(0);
    expect(await failures.blockedForMs('a')).toBe(60_000);
    expect(await failures.blockedForMs('c')).toBe(60_000);
  });
});
