import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readOutput, toText } from './read-output.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-output-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the output of a job', () => {
  it('is put together from pieces of any size, also through the middle of characters', async () => {
    const text = 'aä€😀\r\n\u0000z'.repeat(20);
    const path = join(folder, 'text');
    await writeFile(path, text);
    for (const size of [4, 5, 7, 64, 10_000]) {
      let got = '';
      let offset = 0;
      for (let turns = 0; turns < 1000; turns += 1) {
        const piece = await readOutput(path, offset, size);
        const part = toText(piece, piece.nextOffset >= piece.size);
        got += part.text;
        if (part.nextOffset === offset) break;
        offset = part.nextOffset;
      }
      expect(got).toBe(text);
      expect(offset).toBe(Buffer.byteLength(text));
    }
  });

  it('is nothing while it is not there, and beyond its end', async () => {
    expect(await readOutput(join(folder, 'none'), 5, 10)).toEqual({
      bytes: Buffer.alloc(0),
      nextOffset: 5,
      size: 0,
    });
    await writeFile(join(folder, 'short'), 'abc');
    expect(await readOutput(join(folder, 'short'), 9, 10)).toMatchObject({ nextOffset: 9, size: 3 });
  });

  it('is not read from what is no file', async () => {
    await symlink('/dev/zero', join(folder, 'endless'));
    await expect(readOutput(join(folder, 'endless'), 0, 10)).rejects.toMatchObject({
      code: 'file-access-denied',
    });
    await expect(readOutput(folder, 0, 10)).rejects.toMatchObject({ code: 'file-access-denied' });
  });
});
