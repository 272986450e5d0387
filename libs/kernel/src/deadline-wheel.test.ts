import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { DeadlineWheel } from './deadline-wheel.js';

const tickMs = 50;

describe('DeadlineWheel', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('fires every entry once, never early and at most two ticks late, unless it was cancelled', () => {
    const entry = fc.record({
      delayMs: fc.integer({ min: -10, max: 3000 }),
      scheduledAtMs: fc.integer({ min: 0, max: 1000 }),
      cancelAfterMs: fc.option(fc.integer({ min: 0, max: 3000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 40 }), (entries) => {
        const wheel = new DeadlineWheel(tickMs);
        const startMs = performance.now();
        const firedAtMs = entries.map((): number[] => []);
        entries.forEach(({ delayMs, scheduledAtMs, cancelAfterMs }, index) => {
          setTimeout(() => {
            const cancel = wheel.schedule(delayMs, () => firedAtMs[index]?.push(performance.now() - startMs));
            if (cancelAfterMs !== undefined) setTimeout(cancel, cancelAfterMs);
          }, scheduledAtMs);
        });
        jest.advanceTimersByTime(5000);
        entries.forEach(({ delayMs, scheduledAtMs, cancelAfterMs }, index) => {
          const dueMs = scheduledAtMs + Math.max(0, delayMs);
          const fired = firedAtMs[index] ?? [];
          if (cancelAfterMs === undefined) expect(fired).toHaveLength(1);
          if (cancelAfterMs !== undefined && scheduledAtMs + cancelAfterMs < dueMs) expect(fired).toEqual([]);
          for (const atMs of fired) {
            expect(atMs).toBeGreaterThanOrEqual(dueMs);
            expect(atMs).toBeLessThanOrEqual(dueMs + 2 * tickMs);
          }
        });
        expect(jest.getTimerCount()).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps the same callback twice when it was scheduled twice', () => {
    const wheel = new DeadlineWheel(tickMs);
    const onDue = jest.fn();
    wheel.schedule(10, onDue);
    const cancel = wheel.schedule(10, onDue);
    cancel();
    cancel();
    jest.advanceTimersByTime(200);
    expect(onDue).toHaveBeenCalledTimes(1);
  });

  it('an entry that schedules another one from within is not lost', () => {
    const wheel = new DeadlineWheel(tickMs);
    const second = jest.fn();
    wheel.schedule(10, () => void wheel.schedule(0, second));
    jest.advanceTimersByTime(300);
    expect(second).toHaveBeenCalledTimes(1);
  });

  it('fires nothing after clear, and works again', () => {
    const wheel = new DeadlineWheel(tickMs);
    const first = jest.fn();
    const second = jest.fn();
    wheel.schedule(10, first);
    wheel.clear();
    expect(jest.getTimerCount()).toBe(0);
    wheel.schedule(10, second);
    jest.advanceTimersByTime(200);
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([0, 1]);
  });
});
