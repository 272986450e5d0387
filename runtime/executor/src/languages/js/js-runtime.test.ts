import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createStaging, type Staging } from '../../sandbox/staging.js';
import { defaultLanguageSettings } from '../language.js';
import { jsRuntime } from './js-runtime.js';

/** Tries, in a thread, what a function would do if it got past every rule of its realm. */
const probe = `import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
if (isMainThread) {
  new Worker(fileURLToPath(import.meta.url)).on('message', (found) => console.log(JSON.stringify(found)));
} else {
  const attempt = async (work) => { try { await work(); return 'done'; } catch (error) { return error.code ?? error.message; } };
  const fs = await import('node:fs');
  const { execSync } = await import('node:child_process');
  parentPort.postMessage({
    read: await attempt(() => fs.readFileSync('/etc/passwd')),
    environ: await attempt(() => fs.readFileSync('/proc/self/environ')),
    write: await attempt(() => fs.writeFileSync(new URL('./x', import.meta.url), 'x')),
    spawn: await attempt(() => execSync('id')),
    binding: await attempt(() => process.binding('fs')),
    code: await attempt(() => new Function('return 1')()),
  });
}`;

let staging: Staging;
beforeAll(async () => {
  staging = await createStaging([jsRuntime], { isOtherUser: false });
});
afterAll(() => staging.remove());

const limits = { memoryMiB: 64, scratchMiB: 1, resultBytes: 1, logBytes: 1, warmFunctions: 1, codeBytes: 1 };

describe('the process of JavaScript functions', () => {
  it('denies files, programs and bindings by the permission model, also to code past the rules of its realm', async () => {
    const file = join(staging.folder, 'probe.js');
    await writeFile(file, probe);
    const flags = jsRuntime
      .launch(staging.folder, limits, { ...defaultLanguageSettings, isRestricted: true })
      .args.slice(0, -2);
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, file], { env: {} });
    expect(JSON.parse(stdout)).toEqual({
      read: 'ERR_ACCESS_DENIED',
      environ: 'ERR_ACCESS_DENIED',
      write: 'ERR_ACCESS_DENIED',
      spawn: 'ERR_ACCESS_DENIED',
      binding: 'ERR_ACCESS_DENIED',
      code: 'Code generation from strings disallowed for this context',
    });
  });

  it('has no secret on its command line: only flags, its file and its limits', () => {
    const { args } = jsRuntime.launch(staging.folder, limits, {
      ...defaultLanguageSettings,
      isRestricted: false,
    });
    expect(JSON.parse(args.at(-1) ?? '')).toEqual(limits);
    expect(args.some((flag) => flag.includes('permission'))).toBe(false);
  });
});
