import type { ResultMessage } from '@gantry/broker';
import type { ExecutionRequest } from '@gantry/contracts';
import { DeadlineWheel, systemClock } from '@gantry/kernel';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { WaitingCalls } from './waiting-calls.js';

const wheel = new DeadlineWheel(5);
afterEach(() => wheel.clear());

const requestOf = (
  executionId: string,
  times: { queueMs?: number; runMs?: number } = {},
): ExecutionRequest => ({
  ...{ executionId, mode: 'sync', flavour: 'Nature', owner: 'ada', functionId: 1, requirementId: 2 },
  ...{ functionSha256: '0'.repeat(64), language: 'JS', expiresAtMs: 0, queueMs: 10_000, runMs: 10_000 },
  ...times,
});
const open = () => new WaitingCalls({ clock: systemClock, wheel, queueToleranceMs: 0, runGraceMs: 0 });
const from = (executionId: string) => ({ executionId, attempt: 1, runtimeId: 'r1' });
const finished = (executionId: string): ResultMessage => ({
  ...{ kind: 'finished', ...from(executionId), status: 'succeeded', startedAtMs: 1 },
  ...{ result: Buffer.from('{}'), log: Buffer.alloc(0) },
});

describe('waiting calls', () => {
  it('end at the deadline of the queue, unless they started', async () => {
    const calls = open();
    const queued = calls.open(requestOf('a', { queueMs: 20 }));
    const started = calls.open(requestOf('b', { queueMs: 20, runMs: 60 }));
    calls.receive({ kind: 'started', ...from('b'), startedAtMs: undefined });
    expect(await queued.outcome).toEqual({ kind: 'queue-timeout' });
    expect(calls.size).toBe(1);
    expect(await started.outcome).toEqual({ kind: 'worker-lost' });
    expect(calls.size).toBe(0);
  });

  it('do not start their time anew at a second word of the start', async () => {
    const calls = open();
    const call = calls.open(requestOf('a', { runMs: 40 }));
    const startedMs = performance.now();
    const timer = setInterval(
      () => calls.receive({ kind: 'progress', ...from('a'), progressPerMille: 1 }),
      5,
    );
    expect(await call.outcome).toEqual({ kind: 'worker-lost' });
    clearInterval(timer);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(call.progressPerMille).toBe(1);
  });

  it('started when their runtime says, however late the word comes, within the time they are known for', () => {
    let nowMs = 1000;
    const clock = { now: () => nowMs, monotonicMs: () => nowMs };
    const calls = new WaitingCalls({ clock, wheel, queueToleranceMs: 0, runGraceMs: 0 });
    const startOf = (...startedAtMs: number[]) => {
      nowMs = 1000;
      const call = calls.open(requestOf('a'));
      nowMs = 1250;
      calls.receive({ kind: 'progress', ...from('a'), progressPerMille: 1 });
      for (const atMs of startedAtMs) calls.receive({ kind: 'started', ...from('a'), startedAtMs: atMs });
      const known = call.startedAtMs;
      nowMs = 1400;
      calls.receive({ ...finished('a'), startedAtMs: 1003 } as ResultMessage);
      return [known, call.startedAtMs];
    };
    expect(startOf()).toEqual([1250, 1003]);
    expect(startOf(1003)).toEqual([1003, 1003]);
    // Clocks that differ.
    expect(startOf(2000)).toEqual([1250, 1003]);
    expect(startOf(7)).toEqual([1000, 1003]);
  });

  it('fail together when their flavour has no runtime, but not what already runs', async () => {
    const calls = open();
    const [queued, running] = [calls.open(requestOf('a')), calls.open(requestOf('b'))];
    const other = calls.open({ ...requestOf('c'), flavour: 'Other' });
    calls.receive({ kind: 'started', ...from('b'), startedAtMs: undefined });
    expect(calls.failQueued('Nature')).toEqual([queued]);
    expect([queued.settled, running.settled, other.settled]).toEqual([
      { kind: 'no-runtime' },
      undefined,
      undefined,
    ]);
    expect(calls.oldestQueuedMs('Nature')).toBe(0);
  });

  it('are settled once, by whatever comes first, and are then out of the map', () => {
    const event = fc.constantFrom('started', 'progress', 'finished', 'cancel', 'no-runtime', 'refused');
    fc.assert(
      fc.property(fc.array(event, { maxLength: 8 }), (events) => {
        const calls = open();
        const call = calls.open(requestOf('a'));
        let settledBy: string | undefined;
        for (const name of events) {
          const before = call.settled;
          if (name === 'started') calls.receive({ kind: 'started', ...from('a'), startedAtMs: 1 });
          if (name === 'progress') calls.receive({ kind: 'progress', ...from('a'), progressPerMille: 5 });
          if (name === 'finished') calls.receive(finished('a'));
          if (name === 'cancel') calls.settle(call, { kind: 'cancelled' });
          if (name === 'no-runtime') calls.failQueued('Nature');
          if (name === 'refused') calls.settle(call, { kind: 'not-published', publish: 'rejected' });
          if (before === undefined && call.settled !== undefined) settledBy = name;
          if (before !== undefined) expect(call.settled).toBe(before);
        }
        expect(calls.size).toBe(settledBy === undefined ? 1 : 0);
        wheel.clear();
      }),
    );
  });
});
