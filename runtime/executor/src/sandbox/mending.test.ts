import { rm } from 'node:fs/promises';
import type { Logger } from '@gantry/kernel';
import { silentLogger } from '@gantry/kernel';
import { afterEach, describe, expect, it } from '@jest/globals';
import { jsRuntime } from '../languages/js/js-runtime.js';
import type { LanguageRuntime } from '../languages/language.js';
import { resultOf, type SandboxFixture, startSandbox, until } from '../testing/sandbox-fixture.js';

/** Something removes what executor processes are started from, as cleaners of folders for temporary files do. */
const lines: { level: string; message: string }[] = [];
const note = (level: string) => (message: string) => void lines.push({ level, message });
const logger: Logger = { ...silentLogger, error: note('error'), warn: note('warn'), info: note('info') };

let sandbox: SandboxFixture | undefined;
afterEach(async () => {
  lines.length = 0;
  await sandbox?.stop();
  sandbox = undefined;
});

const answer = (owner: string, nth = 1) =>
  sandbox?.call(`export default () => 'here'; // ${nth}`, [], { owner }).then(resultOf);

describe('when the folder of the programs is removed', () => {
  it('it is made again, under another name, and new owners are served', async () => {
    sandbox = await startSandbox({ logger });
    const { folder } = sandbox;
    await rm(folder, { recursive: true });
    // The first may still have the spare that was there.
    for (const owner of ['alice', 'bob', 'carol']) expect(await answer(owner)).toBe('here');
    expect(sandbox.folder).not.toBe(folder);
    expect(lines.filter(({ message }) => message.includes('in place again'))).toHaveLength(1);
  }, 60_000);

  it('an owner whose process cannot start threads any more gets another process', async () => {
    sandbox = await startSandbox({ logger });
    expect(await answer('alice')).toBe('here');
    await rm(sandbox.folder, { recursive: true });
    // One call of these may meet the end of the process: it had one thread in reserve.
    const answers: unknown[] = [];
    for (let nth = 2; nth < 7; nth += 1) answers.push(await answer('alice', nth));
    expect(answers.slice(-2)).toEqual(['here', 'here']);
    expect(answers.filter((one) => one !== 'here').length).toBeLessThanOrEqual(1);
  }, 60_000);
});

describe('when a program cannot be started', () => {
  it('it is said once when this begins and once when it is over, and calls hear why', async () => {
    let isBroken = false;
    const runtime: LanguageRuntime = {
      ...jsRuntime,
      launch: (...args) => ({
        ...jsRuntime.launch(...args),
        ...(isBroken ? { file: '/usr/bin/false', args: [] } : {}),
      }),
    };
    sandbox = await startSandbox({ runtimes: [runtime], logger });
    const { pool } = sandbox;
    expect([pool.trouble(), pool.troubleOf('JS')]).toEqual([undefined, undefined]);
    isBroken = true;
    expect(await answer('alice')).toBe('here'); // With the spare, after which there is none.
    await until(() => pool.trouble() !== undefined, 'the trouble is known');
    expect(pool.troubleOf('JS')).toMatch(/^ended while starting: exit code 1/);
    await expect(answer('bob')).rejects.toThrow('ended while starting');
    isBroken = false;
    await until(() => pool.trouble() === undefined, 'the trouble is over');
    expect(await answer('bob')).toBe('here');
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ['error', 'a spare executor process ended; trying again'],
      ['info', 'executor processes can be started again'],
    ]);
  }, 60_000);
});
