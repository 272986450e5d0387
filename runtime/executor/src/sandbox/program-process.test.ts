import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { Launch } from '../isolation/isolation.js';
import { until } from '../testing/sandbox-fixture.js';
import { ProgramProcess } from './program-process.js';

interface Started {
  readonly program: ProgramProcess;
  readonly kills: () => number;
  readonly deaths: string[];
  readonly pid: number;
}

/** A program whose isolation only counts that it was to be killed. */
function start(script: string): Started {
  let kills = 0;
  let pid = 0;
  const deaths: string[] = [];
  const launch: Launch = {
    file: process.execPath,
    args: ['-e', script],
    options: { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] },
    started: (child) => {
      pid = child.pid ?? 0;
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
    onDeath: (_reason, how) => deaths.push(how),
  });
  return { program, kills: () => kills, deaths, pid };
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
