import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@gantry/kernel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { keyFile } from './key-file.js';

const trusted = { keys: [{ id: 1, publicKey: 'a'.repeat(64) }], revoked: ['ab'] };

describe('the file of known keys', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-keys-'));
  });
  afterEach(async () => {
    await chmod(folder, 0o700);
    await rm(folder, { recursive: true });
  });

  it('gives back what was written, in a folder that it makes', async () => {
    const file = keyFile(join(folder, 'new', 'keys.json'), silentLogger);
    expect(await file.read()).toBeUndefined();
    await file.write(trusted);
    expect(await file.read()).toEqual(trusted);
    expect((await stat(join(folder, 'new', 'keys.json'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'new'))).toEqual(['keys.json']);
  });

  it('takes a damaged file for none', async () => {
    const path = join(folder, 'keys.json');
    for (const text of ['', '{', '{"keys":[]}', '{"keys":[{"id":1,"publicKey":"x"}],"revoked":[]}']) {
      await writeFile(path, text);
      expect(await keyFile(path, silentLogger).read()).toBeUndefined();
    }
  });

  it('does not stop anything when it cannot be written', async () => {
    await writeFile(join(folder, 'blocked'), '');
    const file = keyFile(join(folder, 'blocked', 'keys.json'), silentLogger);
    await expect(file.write(trusted)).resolves.toBeUndefined();
  });
});
