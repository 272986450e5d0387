/** What changes names: folders made, entries moved and deleted. Always relative to checked descriptors. */
import { lstat, mkdir, rename, rmdir, unlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { AppError } from '@gantry/kernel';
import { forPath } from './file-errors.js';
import { readNames } from './list-folder.js';
import type { Folder, SafePaths } from './safe-path.js';
import { takeName } from './write-file.js';

const folderMode = 0o700;
/** Each level holds a descriptor while it is deleted. */
const maxDepth = 256;

/**
 * Makes a folder.
 * @returns where it is
 * @throws {AppError} file-exists (not with `parents`), file-not-found, file-access-denied
 */
export async function makeFolder(paths: SafePaths, path: string, parents: boolean): Promise<string> {
  const whole = paths.normalize(path);
  if (parents) {
    const folder = await openOrMake(paths, whole);
    await folder.close();
    return folder.realPath;
  }
  const { folder, name } = await paths.openParent(path);
  try {
    folder.demandWritable();
    await forPath(path, async () => {
      await mkdir(folder.at(name), { mode: folderMode });
      await folder.sync();
    });
    return posix.join(folder.realPath, name);
  } finally {
    await folder.close();
  }
}

/** Opens a folder, making it and the ones above it where they are missing. */
export async function openOrMake(paths: SafePaths, path: string): Promise<Folder> {
  try {
    return await paths.openFolder(path);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'file-not-found') throw error;
  }
  const parent = await openOrMake(paths, posix.dirname(path));
  try {
    parent.demandWritable();
    const name = posix.basename(path);
    return await forPath(path, async () => {
      await mkdir(parent.at(name), { mode: folderMode }).catch(ignoreExisting);
      return parent.openChild(name);
    });
  } finally {
    await parent.close();
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/**
 * Moves or renames an entry, within one file system.
 * @throws {AppError} file-exists, file-not-found, wrong-file-type, invalid-path (another file system)
 */
export async function moveEntry(
  paths: SafePaths,
  from: string,
  to: string,
  overwrite: boolean,
): Promise<string> {
  const source = await paths.openParent(from);
  try {
    source.folder.demandWritable();
    const target = await paths.openParent(to);
    try {
      target.folder.demandWritable();
      const fromPath = source.folder.at(source.name);
      const toPath = target.folder.at(target.name);
      const stats = await forPath(from, () => lstat(fromPath));
      await forPath(to, async () => {
        if (overwrite) await rename(fromPath, toPath);
        else if (stats.isDirectory()) await moveFolder(fromPath, toPath);
        else await takeName(fromPath, toPath);
        await target.folder.sync();
        await source.folder.sync();
      });
      return posix.join(target.folder.realPath, target.name);
    } finally {
      await target.folder.close();
    }
  } finally {
    await source.folder.close();
  }
}

/** The name is taken by an empty folder first, which a rename of a folder may replace and nothing else. */
export async function moveFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: folderMode });
  try {
    await rename(from, to);
  } catch (error) {
    await rmdir(to).catch(() => undefined);
    throw error;
  }
}

/**
 * Deletes an entry; a symbolic link itself, never what it points to.
 * @returns how many entries went
 * @throws {AppError} folder-not-empty, file-not-found
 */
export async function deleteEntry(
  paths: SafePaths,
  path: string,
  isRecursive: boolean,
  signal: AbortSignal,
): Promise<number> {
  const { folder, name } = await paths.openParent(path);
  try {
    folder.demandWritable();
    return await forPath(path, () => removeAt(folder, name, isRecursive, signal, 0));
  } finally {
    await folder.close();
  }
}

/** Deletes an entry of an open folder, with everything in it if asked. */
export async function removeAt(
  folder: Folder,
  name: string,
  isRecursive: boolean,
  signal: AbortSignal,
  depth: number,
): Promise<number> {
  signal.throwIfAborted();
  const stats = await lstat(folder.at(name));
  if (!stats.isDirectory()) {
    await unlink(folder.at(name));
    return 1;
  }
  if (depth >= maxDepth)
    throw new AppError('invalid-request', `Folders are nested more than ${maxDepth} deep`);
  let count = 0;
  if (isRecursive) {
    const child = await folder.openChild(name);
    try {
      for (const inner of await readNames(child, true))
        count += await removeAt(child, inner, true, signal, depth + 1);
    } finally {
      await child.close();
    }
  }
  await rmdir(folder.at(name));
  return count + 1;
}
