import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { PasswordFile } from '../../ports.js';

/** A file with mode 0600 in a folder with mode 0700, which is made when it is missing. */
export const passwordFile = (path: string): PasswordFile => ({
  path,
  read: async () => {
    try {
      return (await readFile(path, 'utf8')).trim();
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  },
  writeNew: async (password) => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.${randomBytes(4).toString('hex')}`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      await file.writeFile(`${password}\n`);
      await file.sync();
      await file.close();
      // A link appears complete or not at all, and refuses to replace what another process wrote.
      await link(temporary, path);
      return true;
    } catch (error) {
      if (isCode(error, 'EEXIST')) return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  },
  remove: () => rm(path, { force: true }),
});

const isCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;
