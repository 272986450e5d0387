import { mkdir, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { languageRuntimes } from '../languages/table.js';
import { createStaging } from './staging.js';

/** Beyond the largest process id of Linux, so surely dead. */
const deadPid = 2 ** 22 + 1;

describe('createStaging', () => {
  it('makes a folder others can read and nobody else can write, and removes it', async () => {
    const staging = await createStaging(Object.values(languageRuntimes), { isOtherUser: false });
    const main = await stat(join(staging.folder, 'languages/js/child/main.js'));
    expect([main.mode & 0o777, (await stat(staging.folder)).mode & 0o777]).toEqual([0o644, 0o755]);
    expect((await readdir(join(staging.folder, 'sandbox'))).sort()).toEqual(['frames.js', 'protocol.js']);
    await staging.remove();
    await expect(stat(staging.folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('clears what a killed supervisor left, and only that', async () => {
    const stale = join(tmpdir(), `gantry-executor-${deadPid}-abc`);
    const live = join(tmpdir(), `gantry-executor-${process.pid}-live`);
    await mkdir(stale, { recursive: true });
    await mkdir(live, { recursive: true });
    const staging = await createStaging([], { isOtherUser: false });
    await expect(stat(stale)).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await stat(live)).isDirectory()).toBe(true);
    await staging.remove();
    const { rm } = await import('node:fs/promises');
    await rm(live, { recursive: true });
  });
});
