import { chown, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { namesHere, namesOf } from '../isolation/supervisor-name.js';
import { languageRuntimes } from '../languages/table.js';
import { createStaging, stagingPrefix } from './staging.js';

/** Names of supervisors: dead (beyond the largest process id), long dead (its pid is another process now), elsewhere. */
const here = namesHere(stagingPrefix);
const dead = `${here}${2 ** 22 + 1}-7-`;
const reused = `${here}${process.pid}-7-`;
const elsewhere = `${here.replace(/\d+/, '1')}${2 ** 22 + 1}-7-`;

describe('createStaging', () => {
  it('makes a folder others can read and nobody else can write, and removes it', async () => {
    const staging = await createStaging(languageRuntimes, { isOtherUser: false });
    const main = await stat(join(staging.folder, 'languages/js/child/main.js'));
    expect([main.mode & 0o777, (await stat(staging.folder)).mode & 0o777]).toEqual([0o644, 0o755]);
    expect((await readdir(join(staging.folder, 'sandbox'))).sort()).toEqual(['frames.js', 'protocol.js']);
    await staging.remove();
    await expect(stat(staging.folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('clears what a killed supervisor left, and only that', async () => {
    const stale = [`${dead}abc`, `${reused}abc`].map((name) => join(tmpdir(), name));
    const live = [`${namesOf(stagingPrefix, process.pid)}live`, `${elsewhere}live`].map((name) =>
      join(tmpdir(), name),
    );
    for (const folder of [...stale, ...live]) await mkdir(folder, { recursive: true });
    const staging = await createStaging([], { isOtherUser: false });
    for (const folder of stale) await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
    for (const folder of live) expect((await stat(folder)).isDirectory()).toBe(true);
    await staging.remove();
    for (const folder of live) await rm(folder, { recursive: true });
  });

  it('does not touch what another user made under such a name', async () => {
    const planted = join(tmpdir(), `${dead}planted`);
    await mkdir(planted);
    await chown(planted, 65534, 65534); // Root only, as the tests of containers are.
    const staging = await createStaging([], { isOtherUser: false });
    expect((await stat(planted)).isDirectory()).toBe(true);
    await staging.remove();
    await rm(planted, { recursive: true });
  });
});
