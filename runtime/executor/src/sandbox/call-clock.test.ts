import { describe, expect, it } from '@jest/globals';
import { CallClock } from './call-clock.js';

const overstayMs = 1000;

function startClock(runMs: number) {
  let nowMs = 5000;
  const clock = new CallClock(runMs, () => nowMs);
  return { clock, pass: (ms: number) => (nowMs += ms) };
}

describe('the clock of a call', () => {
  it('counts its run and gives its end a moment', () => {
    const { clock, pass } = startClock(500);
    pass(300);
    expect(clock.leftMs).toBe(200 + overstayMs);
  });

  it('does not count what comes before the run', () => {
    const { clock, pass } = startClock(500);
    pass(20);
    clock.waitForCode(15_000);
    pass(2000);
    expect([clock.isWaiting, clock.leftMs]).toEqual([true, 13_000]);
    clock.go();
    clock.waitForBoot(10_000);
    pass(4000);
    clock.go();
    expect([clock.isWaiting, clock.leftMs]).toEqual([false, 500 + overstayMs]);
  });

  it('gives a process that only says that it waits no more than the bounds of the waits', () => {
    const { clock, pass } = startClock(500);
    pass(1499);
    clock.waitForCode(15_000);
    pass(1);
    clock.go();
    expect(clock.leftMs).toBe(1001);
    pass(1000);
    clock.waitForBoot(10_000);
    pass(60_000);
    expect(clock.leftMs).toBe(-50_000);
    clock.go();
    expect(clock.leftMs).toBe(1 - 50_000);
  });
});
