import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { resultOf, type SandboxFixture, startSandbox } from '../../testing/sandbox-fixture.js';
import { jsRuntime } from './js-runtime.js';

jest.setTimeout(60_000);

/**
 * The file that piscina loads in each thread, with a descriptor that does `fault` to the frame of an answer that holds
 * "fault": what a full socket does cannot be had on demand.
 */
const entryWith = (fault: string): string => `'use strict';
const fs = require('node:fs');
const whole = fs.writeSync;
const marked = Buffer.from(JSON.stringify('fault')).toString('base64');
fs.writeSync = (descriptor, bytes, ...rest) => {
  if (descriptor !== 3 || !Buffer.from(bytes).includes(marked)) return whole(descriptor, bytes, ...rest);
  ${fault}
};
require('node:module').syncBuiltinESMExports();
module.exports = import('./thread/run-call.js').then((module) => module.createServe());
`;

let sandbox: SandboxFixture | undefined;
afterEach(() => sandbox?.stop());

async function startWith(fault: string): Promise<SandboxFixture> {
  const stage = async (folder: string) => {
    await jsRuntime.stage(folder);
    await writeFile(join(folder, 'languages', 'js', 'thread-entry.cjs'), entryWith(fault));
  };
  sandbox = await startSandbox({ runtimes: [{ ...jsRuntime, stage }] });
  return sandbox;
}

describe('a thread that writes its answer to the descriptor itself', () => {
  const source = 'export default (text) => text;';

  it('ends the process when only a part of the frame went out: nothing after it can be understood', async () => {
    const { call } = await startWith('return whole(descriptor, bytes.subarray(0, bytes.length >> 1));');
    expect(resultOf(await call(source, ['before']))).toBe('before');
    expect(resultOf(await call(source, ['fault']))).toMatch(/^worker-lost: /);
    // In a new process; no byte of the half answer is in the next one.
    expect(resultOf(await call(source, ['after']))).toBe('after');
  });

  it('leaves the answer to the main thread when nothing went out', async () => {
    const { call, pool } = await startWith("throw Object.assign(new Error('full'), { code: 'EAGAIN' });");
    expect(resultOf(await call(source, ['fault']))).toBe('fault');
    const process = await pool.acquire({
      language: 'JS',
      owner: 'alice',
      functionSha256: 'a',
      isFresh: false,
    });
    expect(process.isDead).toBe(false);
    pool.release(process);
    expect(resultOf(await call(source, ['after']))).toBe('after');
  });
});
