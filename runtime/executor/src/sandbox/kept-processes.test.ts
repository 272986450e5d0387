import { describe, expect, it } from '@jest/globals';
import type { ExecutorProcess } from './executor-process.js';
import { KeptProcesses } from './kept-processes.js';

/** Only its place in the order and its weight count here. */
const make = (mebibytes: number, owner?: string) =>
  ({ pid: 1, mebibytes, owner }) as unknown as ExecutorProcess;
const weightOf = (process: ExecutorProcess) => (process as unknown as { mebibytes: number }).mebibytes;

function setUp(max: number, maxBytes = Number.POSITIVE_INFINITY) {
  const clock = { nowMs: 0 };
  const kept = new KeptProcesses({ max, maxBytes, memoryBytesOf: weightOf, nowMs: () => clock.nowMs });
  return { clock, kept };
}

describe('idle processes', () => {
  it('weigh what the kernel charges them with, or what is resident of them where it has no account', () => {
    const weigh = (process: object) => {
      const kept = new KeptProcesses({ max: 10, maxBytes: 1000 });
      kept.add({ pid: undefined, memoryBytes: () => 1 } as unknown as ExecutorProcess);
      const dropped = kept.add(process as ExecutorProcess);
      return dropped.length;
    };
    expect(weigh({ pid: undefined, memoryBytes: () => 998 })).toBe(0);
    expect(weigh({ pid: undefined, memoryBytes: () => 1000 })).toBe(1);
    expect(weigh({ pid: process.pid, memoryBytes: () => undefined })).toBe(1);
  });

  it('are kept up to their number; the least recently used goes first', () => {
    const { kept } = setUp(2);
    const [a, b, c] = [make(1), make(1), make(1)];
    expect([kept.add(a), kept.add(b)]).toEqual([[], []]);
    kept.delete(a); // taken for a call, and back
    kept.add(a);
    expect(kept.add(c)).toEqual([b]);
    expect([...kept]).toEqual([a, c]);
  });

  it('of one owner push out each other, not those of everybody else, in number and in memory', () => {
    for (const [max, maxBytes] of [
      [4, Number.POSITIVE_INFINITY],
      [100, 90],
    ] as const) {
      const { clock, kept } = setUp(max, maxBytes);
      const [bob, carol] = [make(20, 'bob'), make(20, 'carol')];
      for (const process of [bob, carol]) expect(kept.add(process)).toEqual([]);
      const many = Array.from({ length: 20 }, () => make(20, 'alice'));
      const dropped = many.flatMap((process) => {
        clock.nowMs += 1000;
        return kept.add(process);
      });
      expect(dropped).toEqual(many.slice(0, 18));
      expect([...kept]).toEqual([bob, carol, ...many.slice(18)]);
    }
  });

  it('that nobody used for minutes go before those of whoever has most', () => {
    const { clock, kept } = setUp(3);
    const [bob, one, two, three] = [make(1, 'bob'), make(1, 'alice'), make(1, 'alice'), make(1, 'alice')];
    kept.add(bob);
    clock.nowMs = 301_000;
    for (const process of [one, two]) kept.add(process);
    expect(kept.add(three)).toEqual([bob]);
  });

  it('are kept in bounded memory, looked at once a second; the last one stays whatever it weighs', () => {
    const { clock, kept } = setUp(10, 100);
    const [a, b, c, d] = [make(60), make(30), make(50), make(500)];
    for (const process of [a, b]) expect(kept.add(process)).toEqual([]);
    expect(kept.add(c)).toEqual([]);
    clock.nowMs = 1000;
    kept.delete(c);
    expect(kept.add(c)).toEqual([a]);
    clock.nowMs = 2000;
    expect(kept.add(d)).toEqual([b, c]);
    expect(kept.size).toBe(1);
  });
});
