import { describe, expect, it } from '@jest/globals';
import { CallTally } from './call-tally.js';
import { IdleWork } from './idle-work.js';

/** A process as a watchdog sees it that looks every 100 ms. */
class Simulated {
  nowMs = 0;
  cpuMs = 0;
  readonly tally = new CallTally(() => this.nowMs);
  readonly #work = new IdleWork(2);
  isCaught = false;

  /** Time passes, of which the process uses a share of a processor. */
  pass(ms: number, share: number): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.nowMs += 10;
      this.cpuMs += 10 * share;
      if (this.nowMs % 100 === 0) this.look();
    }
  }

  look(): void {
    const ticks = Math.floor(this.cpuMs / 10);
    this.isCaught ||= this.#work.look(ticks, this.tally.restedMs === 0, this.tally, this.nowMs);
  }

  call(ms: number, share: number, options: { name?: string; isFresh?: boolean } = {}): void {
    this.tally.begin(options.name ?? 'f', options.isFresh === true);
    this.pass(ms, share);
    this.tally.end(false);
  }
}

const simulate = (run: (process: Simulated) => void): boolean => {
  const process = new Simulated();
  process.call(100, 1);
  process.look();
  run(process);
  return process.isCaught;
};

const minuteOf = (cycleMs: number, cycle: (process: Simulated, turn: number) => void) =>
  simulate((process) => {
    for (let turn = 0; turn * cycleMs < 60_000; turn += 1) cycle(process, turn);
  });

describe('work without a call', () => {
  it('is seen when a process spins and nobody calls it', () => {
    expect(simulate((process) => process.pass(3000, 1))).toBe(true);
  });

  it.each([
    ['2 s', 2000],
    ['500 ms', 500],
    ['200 ms', 200],
    ['50 ms', 50],
  ])('is seen when the process is called every %s meanwhile', (_name, everyMs) => {
    const isCaught = minuteOf(everyMs, (process) => {
      process.call(10, 1);
      process.pass(everyMs - 10, 1);
    });
    expect(isCaught).toBe(true);
  });

  it('is not what calls use, on as many processors as there are', () => {
    const isCaught = minuteOf(1000, (process) => {
      process.call(970, 2);
      process.pass(30, 0.1);
    });
    expect(isCaught).toBe(false);
  });

  it('is not what a timer uses now and then, or tidying up after a call', () => {
    const isCaught = minuteOf(4000, (process) => {
      process.call(500, 1);
      process.pass(300, 0.5);
      process.pass(3200, 0.05);
    });
    expect(isCaught).toBe(false);
  });

  it('is not the boot of the threads that fresh calls and other functions take', () => {
    for (const isFresh of [true, false]) {
      const isCaught = minuteOf(200, (process, turn) => {
        process.call(20, 1, { isFresh, name: `function ${turn % 3}` });
        process.pass(100, 1);
        process.pass(80, 0);
      });
      expect(isCaught).toBe(false);
    }
  });

  it('has no credit from long ago', () => {
    const isCaught = simulate((process) => {
      for (let turn = 0; turn < 50; turn += 1) process.call(20, 1, { isFresh: true });
      process.pass(20_000, 0);
      process.pass(2000, 1);
    });
    expect(isCaught).toBe(true);
  });
});
