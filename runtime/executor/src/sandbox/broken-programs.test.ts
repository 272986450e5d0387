import { type Logger, silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { jsRuntime } from '../languages/js/js-runtime.js';
import type { LanguageRuntime } from '../languages/language.js';
import { resultOf, type SandboxFixture, sha256Of, startSandbox, until } from '../testing/sandbox-fixture.js';

/** Programs that do not start, hang or die, beside one that is sound. */
let sandbox: SandboxFixture | undefined;
let errors: Record<string, unknown>[];
const logger: Logger = {
  ...silentLogger,
  error: (message, fields) => errors.push({ message, ...fields }),
};

beforeEach(() => {
  errors = [];
});
afterEach(async () => {
  await sandbox?.stop();
  sandbox = undefined;
});

/** The sound program under another name; some of its processes run the script instead. */
function python(
  script: string,
  isBroken: (nth: number) => boolean,
): LanguageRuntime & { launches: number[] } {
  const launches: number[] = [];
  return {
    ...jsRuntime,
    launches,
    name: 'python',
    languages: ['PY'],
    launch: (...given) => {
      launches.push(performance.now());
      const plan = jsRuntime.launch(...given);
      return isBroken(launches.length) ? { ...plan, args: ['-e', script] } : plan;
    },
  };
}

const ready = "require('node:fs').writeSync(3, Buffer.from([0,0,0,7,4,0,0,0,2,123,125]));";
const acquire = (owner: string) =>
  sandbox?.pool.acquire({ language: 'PY', owner, functionSha256: sha256Of('f') });

describe('a pool with a program that is broken', () => {
  it('tries it again ever more seldom, however well another one works', async () => {
    const runtime = python('process.exit(1)', (nth) => nth > 1);
    sandbox = await startSandbox({ runtimes: [jsRuntime, runtime], logger, keptProcesses: 1 });
    await acquire('alice');
    const endMs = performance.now() + 6000;
    for (let i = 0; performance.now() < endMs; i += 1) {
      expect(resultOf(await sandbox.call('export default () => 1;', [], { owner: `o${i}` }))).toBe(1);
    }
    // Without a memory of its own it would be started every 300 ms.
    expect(runtime.launches.length).toBeLessThan(14);
    expect(errors[0]).toMatchObject({
      program: 'python',
      reason: expect.stringContaining('ended while starting'),
    });
  }, 30_000);

  it('says so when a spare dies that was ready', async () => {
    const runtime = python(`${ready} setTimeout(() => process.exit(7), 300);`, (nth) => nth === 1);
    sandbox = await startSandbox({ runtimes: [runtime], logger });
    await until(() => errors.length > 0, 'the death is logged');
    expect(errors[0]).toMatchObject({
      message: 'a spare executor process ended; trying again',
      reason: 'ended after it was ready: exit code 7',
    });
    expect((await acquire('alice'))?.isDead).toBe(false);
  });

  it('notices a spare that hangs before a caller meets it', async () => {
    const runtime = python('setInterval(() => undefined, 1000);', (nth) => nth === 2);
    sandbox = await startSandbox({ runtimes: [runtime], logger, readyWithinMs: 1500 });
    await acquire('alice'); // The next spare hangs.
    await until(() => errors.length > 0, 'the spare is given up');
    expect(errors[0]).toMatchObject({
      reason: 'ended while starting: starting an executor process did not finish within 1500 ms',
    });
  });

  it.each([
    ['hangs', 'setInterval(() => undefined, 1000);'],
    ['dies', 'process.exit(1);'],
  ])('gives a caller another process when the first %s', async (_name, script) => {
    const runtime = python(script, (nth) => nth === 2);
    sandbox = await startSandbox({ runtimes: [runtime], logger, readyWithinMs: 1500 });
    await acquire('alice'); // The next spare is the broken one.
    const process = await acquire('bob');
    expect([process?.isDead, process?.owner]).toEqual([false, 'bob']);
  });

  it('does not hand out a process that was killed and has not ended yet', async () => {
    sandbox = await startSandbox({ logger });
    const need = { language: 'JS', owner: 'alice', functionSha256: sha256Of('f') } as const;
    const first = await sandbox.pool.acquire(need);
    sandbox.pool.release(first);
    first.kill();
    const second = await sandbox.pool.acquire(need);
    expect(second).not.toBe(first);
    expect(second.isDead).toBe(false);
  });
});
