/**
 * Files come into being in two steps: bytes go to a hidden file beside the target, which then takes the target's name.
 *
 * I1. The target is the old file or the new one, whole, at every moment; also after a crash or a power cut (synced
 *     before the rename, the folder after it).
 * I2. What fails leaves nothing behind.
 */

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, rename, statfs, unlink } from 'node:fs/promises';
import { AppError } from '@gantry/kernel';
import { type Conditions, demandConditions } from './byte-range.js';
import { etagOf } from './file-facts.js';
import type { Folder } from './safe-path.js';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;

/** Hidden from listings, and cleaned away when nobody goes on with it. */
const partPrefix = '.gantry-part-';
export const newPartName = (): string => `${partPrefix}${randomBytes(12).toString('hex')}`;
export const isPartName = (name: string): boolean => name.startsWith(partPrefix);

/** What files get that nobody chose permissions for. */
const defaultMode = 0o600;

export function createPart(folder: Folder, partName: string): Promise<FileHandle> {
  return open(folder.at(partName), O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, defaultMode);
}

/** @throws {AppError} no-space-left, when the file system says so already */
export async function demandSpace(folder: Folder, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder.fdPath);
  if (neededBytes > bavail * bsize)
    throw new AppError('no-space-left', `${neededBytes} bytes are needed, ${bavail * bsize} are free`);
}

/**
 * Appends a stream from an offset on. What is written stays, whatever ends it.
 * @returns the offset behind the last byte
 * @throws {AppError} body-too-large when it would get larger than `maxBytes`
 */
export async function writeFrom(
  handle: FileHandle,
  offset: number,
  pieces: AsyncIterable<Buffer>,
  maxBytes: number,
): Promise<number> {
  let position = offset;
  for await (const piece of pieces) {
    if (position + piece.length > maxBytes)
      throw new AppError('body-too-large', `The file would be larger than ${maxBytes} bytes`);
    for (let written = 0; written < piece.length; ) {
      const { bytesWritten } = await handle.write(piece, written, piece.length - written, position);
      written += bytesWritten;
      position += bytesWritten;
    }
  }
  return position;
}

export interface FinishOptions {
  readonly overwrite: boolean;
  readonly conditions: Conditions;
  /** Octal bits; else those of the file that is replaced, else private. */
  readonly mode: number | undefined;
}

/**
 * Gives a written part the name of the target. I1
 * @throws {AppError} file-exists, wrong-file-type, precondition-failed
 */
export async function finishPart(
  folder: Folder,
  partName: string,
  part: FileHandle,
  name: string,
  options: FinishOptions,
): Promise<void> {
  await inTurn(await keyOf(folder, name), async () => {
    const existing = await lstat(folder.at(name), { bigint: true }).catch(() => undefined);
    if (existing?.isDirectory() === true) throw new AppError('wrong-file-type', `${name}: it is a folder`);
    demandConditions(options.conditions, existing?.isFile() === true ? etagOf(existing) : undefined);
    if (existing !== undefined && !options.overwrite)
      throw new AppError('file-exists', `${name}: it exists already`);
    const inherited = existing?.isFile() === true ? Number(existing.mode) & 0o777 : defaultMode;
    await part.chmod(options.mode ?? inherited);
    await part.sync();
    if (options.overwrite) await rename(folder.at(partName), folder.at(name));
    else await takeName(folder.at(partName), folder.at(name));
    await folder.sync();
  });
}

/** Systems without hard links, and files of others that the kernel protects from them. */
const noLinks = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * Renames what is no folder, not over what is there: a link fails when somebody else was faster, which a rename would
 * not. Where links are not to be had, it is looked first.
 * @throws EEXIST of the system, or {AppError} file-exists
 */
export async function takeName(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!noLinks.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const existing = await lstat(to).catch(() => undefined);
    if (existing !== undefined) throw new AppError('file-exists', 'The target exists already');
    return rename(from, to);
  }
  await unlink(from);
}

/** I2: never fails, whatever is there. */
export async function removePart(folder: Folder, partName: string): Promise<void> {
  await unlink(folder.at(partName)).catch(() => undefined);
}

/** Conditions are looked at and acted on without another of our own writers in between. */
const turns = new Map<string, Promise<unknown>>();

async function inTurn(key: string, work: () => Promise<void>): Promise<void> {
  const before = turns.get(key) ?? Promise.resolve();
  const turn = before.then(work, work);
  const settled = turn.catch(() => undefined);
  turns.set(key, settled);
  try {
    await turn;
  } finally {
    if (turns.get(key) === settled) turns.delete(key);
  }
}

async function keyOf(folder: Folder, name: string): Promise<string> {
  const { dev, ino } = await folder.handle.stat({ bigint: true });
  return `${dev} ${ino} ${name}`;
}

/** `0644` as a number. */
export const parseMode = (mode: string | undefined): number | undefined =>
  mode === undefined ? undefined : Number.parseInt(mode, 8);
