import { type ChildProcess, spawn } from 'node:child_process';
import { silentLogger } from '@gantry/kernel';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { DeathReason } from '../isolation/isolation.js';
import { until } from '../testing/sandbox-fixture.js';
import { CallTally } from './call-tally.js';
import { readCpuTicks, readResidentBytes } from './process-usage.js';
import { Watchdog, type WatchedProcess } from './watchdog.js';

let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill('SIGKILL');
});

/** A real process that keeps a processor busy, as the pool would hand it out. */
function watch(
  changes: Partial<WatchedProcess> = {},
  options: { residentMiB?: number; cpuSeconds?: number } = {},
) {
  child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  const { pid = 0 } = child;
  const kills: (DeathReason | undefined)[] = [];
  const retired: unknown[] = [];
  const watched: WatchedProcess = {
    pid,
    isDead: false,
    isBusy: true,
    owner: 'alice',
    tally: new CallTally(),
    countScratchFiles: () => undefined,
    memoryBytes: () => undefined,
    kill: (reason) => kills.push(reason),
    ...changes,
  };
  const watchdog = new Watchdog({
    residentBytesOf: () => (options.residentMiB ?? 1000) * 1024 ** 2,
    scratchBytesOf: () => 16 * 1024 ** 2,
    logger: silentLogger,
    processes: () => [watched],
    retire: (process) => retired.push(process),
    ...(options.cpuSeconds === undefined ? {} : { lifetimeCpuSeconds: options.cpuSeconds }),
  });
  return { watchdog, kills, retired, watched, pid };
}

const untilUsed = (pid: number, ticks: number) =>
  until(() => (readCpuTicks(pid) ?? 0) > ticks, `${ticks} ticks of processor time`);

describe('the watchdog', () => {
  it('leaves a busy process within its limits alone', async () => {
    const { watchdog, kills, pid } = watch();
    await untilUsed(pid, 5);
    watchdog.look();
    expect(kills).toEqual([]);
  });

  it('kills what is beyond its memory', async () => {
    const { watchdog, kills, pid } = watch({}, { residentMiB: 1 });
    await until(() => (readResidentBytes(pid) ?? 0) > 1024 ** 2, 'a megabyte');
    watchdog.look();
    expect(kills).toEqual([
      { code: 'out-of-memory', text: 'the process of the function used more than 1 MiB' },
    ]);
  });

  it('kills what is charged with more than its memory and its scratch folder together', () => {
    const boundBytes = (1000 + 16) * 1024 ** 2;
    const within = watch({ memoryBytes: () => boundBytes });
    within.watchdog.look();
    expect(within.kills).toEqual([]);
    child?.kill('SIGKILL');
    const beyond = watch({ memoryBytes: () => boundBytes + 1 });
    beyond.watchdog.look();
    expect(beyond.kills).toEqual([
      { code: 'out-of-memory', text: 'the process of the function used more than 1000 MiB' },
    ]);
  });

  it('kills what has too many files in scratch', () => {
    const { watchdog, kills } = watch({ countScratchFiles: () => 16_385 });
    watchdog.look();
    expect(kills).toEqual([{ code: 'scratch-full', text: 'more than 16384 files in the scratch folder' }]);
  });

  it('kills a call that comes near the end of the processor time, with that reason', async () => {
    const { watchdog, kills, pid } = watch({}, { cpuSeconds: 0.1 });
    await untilUsed(pid, 10);
    watchdog.look();
    expect(kills).toEqual([
      { code: 'execution-timeout', text: 'the process of the function used up its processor time' },
    ]);
  });

  it('ends an idle process that used half of it, without a word', async () => {
    const tally = new CallTally();
    tally.begin('f', false);
    tally.end(false);
    const { watchdog, kills, retired, watched, pid } = watch({ isBusy: false, tally }, { cpuSeconds: 2 });
    watchdog.look();
    expect(retired).toEqual([]);
    await untilUsed(pid, 110);
    watchdog.look();
    watchdog.look();
    expect([kills, retired]).toEqual([[], [watched]]);
  });
});
