import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { Launch } from '../isolation/isolation.js';
import { until } from '../testing/sandbox-fixture.js';
import { ProgramProcess } from './program-process.js';

interface Started {
  readonly program: ProgramProcess;
  readonly kills: () => number;
  readonly deaths: string[];
  readonly reasons: string[];
  readonly pid: number;
}

const stall = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** A program whose isolation only counts that it was to be killed. */
function start(script: string, stallMs = 0): Started {
  let kills = 0;
  let pid = 0;
  const deaths: string[] = [];
  const reasons: string[] = [];
  const launch: Launch = {
    file: process.execPath,
    args: ['-e', script],
    options: { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] },
    started: (child) => {
      pid = child.pid ?? 0;
      // A supervisor that is held up just then finds its timers due before it reads anything.
      if (stallMs > 0) child.once('exit', () => process.nextTick(() => stall(stallMs)));
      return {
        pid: child.pid,
        kill: () => {
          kills += 1;
        },
        countScratchFiles: () => 1,
        ended: () => undefined,
      };
    },
  };
  const program = new ProgramProcess(launch, {
    onData: () => undefined,
    onDeath: ({ code }, how) => {
      reasons.push(code);
      deaths.push(how);
    },
  });
  return { program, kills: () => kills, deaths, reasons, pid };
}

describe('a program', () => {
  it('is not signalled by its pid after its exit, while its last words are awaited', async () => {
    // The child of the program keeps its streams open: they do not end with it.
    const script = `require('node:child_process').spawn('/bin/sleep', ['1'], { stdio: 'inherit' }).unref();
      process.exit(3);`;
    const { program, kills, deaths } = start(script);
    await until(() => program.isDead, 'it exited');
    program.kill();
    expect([deaths.length, kills(), program.pid, program.countScratchFiles()]).toEqual([
      0,
      0,
      undefined,
      undefined,
    ]);
    await program.end();
    expect(deaths).toEqual(['exit code 3']);
  });

  it('that cannot be ended is waited for until a deadline', async () => {
    const { program, kills, pid } = start('setInterval(() => undefined, 1000);');
    await expect(program.end(50)).rejects.toThrow('ending a process did not finish within 50 ms');
    expect(kills()).toBe(1);
    process.kill(pid, 'SIGKILL');
    await program.end();
  });

  it.each([
    [320, 600],
    [512, 0],
    [512, 600],
  ])(
    'has its last words read after %d KiB of others, by a supervisor held up for %d ms',
    async (kibibytes, stallMs) => {
      const script = `const { writeSync } = require('node:fs');
      const write = (bytes) => { for (let at = 0; at < bytes.length;) try { at += writeSync(2, bytes, at); }
        catch (error) { if (error.code !== 'EAGAIN') throw error; } };
      write(Buffer.alloc(${kibibytes} * 1024, 'x')); write(Buffer.from('\\nJavaScript heap out of memory\\n'));
      process.exit(3);`;
      const { program, deaths, reasons } = start(script, stallMs);
      await until(() => deaths.length === 1, 'it died');
      await program.end();
      expect(reasons).toEqual(['out-of-memory']);
      expect(deaths[0]).toMatch(/^exit code 3 \(x+ \| JavaScript heap out of memory\)$/);
    },
  );

  it('that aborts is not out of memory for that', async () => {
    const { deaths, reasons } = start('process.abort()');
    await until(() => deaths.length === 1, 'it died');
    expect([reasons, deaths[0]?.slice(0, 14)]).toEqual([['worker-lost'], 'signal SIGABRT']);
  });

  it('that prints without end is read no faster than its words can be thrown away', async () => {
    const script = `const line = Buffer.alloc(65536, 'x'); let written = 0;
      const { writeSync } = require('node:fs');
      for (;;) { written += writeSync(2, line); if (written > 4e9) break; }`;
    const { program, pid, deaths } = start(script);
    const pipe = await new Promise<number>((resolve) => {
      setTimeout(() => resolve(bytesWritten(pid)), 1000);
    });
    expect(pipe).toBeLessThan(64 * 1024 * 1024);
    process.kill(pid, 'SIGKILL');
    await program.end();
    expect(deaths.length).toBe(1);
  });
});

function bytesWritten(pid: number): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]);
}
