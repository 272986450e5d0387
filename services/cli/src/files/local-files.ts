/** Files of this machine, as copies need them. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { UploadSource } from '@gantry/client';
import { UsageError } from '../commands/usage-error.js';

const pieceBytes = 256 * 1024;
/** Deeper is taken for a mistake, as nodes do. */
export const maxDepth = 256;

/** Undefined: there is nothing. A link is followed. */
export async function statLocal(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Octal permission bits, such as `0644`. */
export const modeOf = ({ mode }: Pick<Stats, 'mode'>): string => (mode & 0o777).toString(8).padStart(4, '0');

/** Adds the bytes of a file, from its beginning. */
export async function hashInto(hash: Hash, path: string): Promise<Hash> {
  for await (const piece of createReadStream(path, { highWaterMark: pieceBytes }))
    hash.update(piece as Buffer);
  return hash;
}

export const sha256Of = async (path: string): Promise<string> =>
  (await hashInto(createHash('sha256'), path)).digest('hex');

/** A file to send; its checksum is made beside the sending. */
export function toUploadSource(path: string, sizeBytes: number): UploadSource {
  let sum: Promise<string> | undefined;
  const sha256 = () => {
    sum ??= sha256Of(path);
    return sum;
  };
  return {
    sizeBytes,
    open: (offset) => {
      // What it fails with is told when it is asked for.
      sha256().catch(() => undefined);
      return createReadStream(path, { start: offset, highWaterMark: pieceBytes }) as AsyncIterable<Buffer>;
    },
    sha256,
  };
}

export interface LocalEntry {
  /** Below the folder that is walked, with `/`. */
  readonly path: string;
  readonly type: 'file' | 'dir' | 'other';
  readonly sizeBytes: number;
  readonly mode: string;
}

/** Everything in a folder, by name, folders before what is in them. Links are not followed: they are `other`. */
export async function* walkLocal(
  folder: string,
  below = '',
  depth = 0,
): AsyncGenerator<LocalEntry, void, undefined> {
  if (depth > maxDepth) throw new UsageError(`${folder} has folders nested more than ${maxDepth} deep`);
  const names = await readdir(join(folder, below));
  for (const name of names.sort((a, b) => (a < b ? -1 : 1))) {
    const path = below === '' ? name : `${below}/${name}`;
    const stats = await lstat(join(folder, path));
    const type = stats.isFile() ? 'file' : stats.isDirectory() ? 'dir' : 'other';
    yield { path, type, sizeBytes: stats.size, mode: modeOf(stats) };
    if (type === 'dir') yield* walkLocal(folder, path, depth + 1);
  }
}

/** Makes a folder; that it is there already is fine. @throws of the file system, EEXIST when it is no folder */
export async function keepFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error;
  }
}
