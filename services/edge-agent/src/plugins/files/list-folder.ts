import { lstat, opendir, readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import type { FileEntry, FileList } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import { forPath } from './file-errors.js';
import { toEntry } from './file-facts.js';
import type { Folder, SafePaths } from './safe-path.js';
import { isPartName } from './write-file.js';

/** Names of one folder that are held at once. */
const maxNames = 200_000;

/**
 * The names in a folder, in order; unfinished uploads only `withParts`.
 * @throws {AppError} invalid-request when the folder has more than 200 000 entries
 */
export async function readNames(folder: Folder, withParts = false): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of await opendir(folder.fdPath)) {
    if (!withParts && isPartName(name)) continue;
    if (names.length >= maxNames)
      throw new AppError('invalid-request', `${folder.realPath} has more than ${maxNames} entries`);
    names.push(name);
  }
  return names.sort((a, b) => (a < b ? -1 : 1));
}

/** One page of a folder, by name. Entries that go away meanwhile are left out. */
export async function listFolder(
  paths: SafePaths,
  path: string,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<FileList> {
  const folder = await paths.openFolder(path);
  try {
    return await forPath(path, async () => {
      const names = (await readNames(folder)).filter((name) => after === undefined || name > after);
      const page = names.slice(0, limit);
      const entries = await Promise.all(page.map((name) => readEntry(folder, name).catch(() => undefined)));
      return {
        path: folder.realPath,
        entries: entries.filter((entry) => entry !== undefined),
        next: names.length > page.length ? (page.at(-1) ?? null) : null,
      };
    });
  } finally {
    await folder.close();
  }
}

/** One entry, links not followed. */
export async function readEntry(folder: Folder, name: string): Promise<FileEntry> {
  const stats = await lstat(folder.at(name), { bigint: true });
  const target = stats.isSymbolicLink() ? await readlink(folder.at(name)) : null;
  return toEntry(name, posix.join(folder.realPath, name), stats, target);
}
