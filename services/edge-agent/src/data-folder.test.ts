import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { makeDataFolder } from './data-folder.js';

describe('the data folder of an agent', () => {
  let top: string;
  beforeEach(async () => {
    top = await mkdtemp(join(tmpdir(), 'gantry-data-folder-'));
  });
  afterEach(() => rm(top, { recursive: true, force: true }));

  it('is made, private', async () => {
    await makeDataFolder(join(top, 'a/b'));
    expect((await stat(join(top, 'a/b'))).mode & 0o777).toBe(0o700);
  });

  it('that cannot be made is named with its setting and the cause', async () => {
    await writeFile(join(top, 'file'), '');
    const making = makeDataFolder(join(top, 'file/data'));
    await expect(making).rejects.toMatchObject({
      message: expect.stringMatching(
        new RegExp(`GANTRY_AGENT_DATA_DIR \\(--data-dir\\).*${join(top, 'file/data')}.*ENOTDIR`),
      ),
    });
  });
});
