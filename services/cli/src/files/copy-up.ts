/** From this machine to a node. */
import { readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { type FilesClient, repeatTransient } from '@gantry/client';
import type { FileEntry } from '@gantry/contracts';
import { UsageError } from '../commands/usage-error.js';
import {
  type CopiedFile,
  type CopyOptions,
  CopyPool,
  type CopyResult,
  CopyTally,
  FileExistsError,
  isBegunCopy,
  isMissing,
  maxCompared,
} from './copy-plan.js';
import { modeOf, sha256Of, statLocal, toUploadSource, walkLocal } from './local-files.js';
import { lastNameOf, type RemotePlace, toWord } from './place.js';
import { TransferProgress } from './transfer-progress.js';

interface LocalFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mode: string;
}

/** @throws {UsageError} what cannot be copied so · {GantryError} what the node refuses */
export async function copyUp(
  files: FilesClient,
  from: string,
  place: RemotePlace,
  options: CopyOptions,
): Promise<CopyResult> {
  const stats = await statLocal(from);
  if (stats === undefined) throw new UsageError(`${from} is not there`);
  if (!stats.isFile() && !stats.isDirectory()) throw new UsageError(`${from} is neither a file nor a folder`);
  if (stats.isDirectory() && !options.isRecursive)
    throw new UsageError(`${from} is a folder; -r copies it with everything in it`);
  const there = await statRemote(files, place.path);
  if (there === undefined && place.path.endsWith('/'))
    throw new UsageError(`${toWord(place)} is not there; "gantry files mkdir" makes it`);
  const isFolder = stats.isDirectory();
  const target = there?.type === 'dir' ? await chooseTarget(files, from, place, isFolder, options) : place;
  const progress = new TransferProgress(stats.isFile() ? stats.size : undefined);
  try {
    if (isFolder) return await copyFolder(files, from, target, options, progress);
    const file = { path: from, sizeBytes: stats.size, mode: modeOf(stats) };
    const { isSkipped, sha256 } = await copyFile(files, file, target, options, progress);
    const tally = new CopyTally();
    if (isSkipped) tally.skipped = 1;
    else [tally.files, tally.bytes] = [1, stats.size];
    return { ...tally.toResult(from, toWord(target)), sha256 };
  } finally {
    progress.stop();
  }
}

/** As cp does: into a folder that is there. A copy of a folder that broke off is a folder that is there, too. */
async function chooseTarget(
  files: FilesClient,
  from: string,
  place: RemotePlace,
  isFolder: boolean,
  { isResumed }: CopyOptions,
): Promise<RemotePlace> {
  const inside = { ...place, path: posix.join(place.path, lastNameOf(from)) };
  if (!isFolder || !isResumed || (await statRemote(files, inside.path)) !== undefined) return inside;
  const there = (await files.list(place.path).toArray(maxCompared)).map(({ name }) => name);
  return isBegunCopy(there, new Set(await readdir(from))) ? place : inside;
}

async function copyFolder(
  files: FilesClient,
  from: string,
  target: RemotePlace,
  options: CopyOptions,
  progress: TransferProgress,
): Promise<CopyResult> {
  const tally = new CopyTally();
  const pool = new CopyPool(tally, progress);
  if (await keepRemoteFolder(files, target)) tally.folders += 1;
  try {
    for await (const entry of walkLocal(from)) {
      const place = { ...target, path: posix.join(target.path, entry.path) };
      if (entry.type === 'other') tally.leaveOut(entry.path);
      else if (entry.type === 'dir') {
        if (await repeatTransient(() => keepRemoteFolder(files, place))) tally.folders += 1;
      } else {
        const file = { ...entry, path: join(from, entry.path) };
        await pool.add(file.path, entry.sizeBytes, () => copyFile(files, file, place, options, progress));
      }
    }
    await pool.end();
  } finally {
    await pool.settle();
  }
  return tally.toResult(from, toWord(target));
}

async function copyFile(
  files: FilesClient,
  file: LocalFile,
  target: RemotePlace,
  { isForced, isResumed }: CopyOptions,
  progress: TransferProgress,
): Promise<CopiedFile> {
  const { mode, sizeBytes } = file;
  const there = await repeatTransient(() => statRemote(files, target.path));
  if (there?.type === 'dir') throw new UsageError(`${toWord(target)} is a folder`);
  if (there !== undefined && !isForced) {
    const same = isResumed && there.size === sizeBytes ? await sameSum(files, file, target) : undefined;
    if (same === undefined) throw new FileExistsError(toWord(target));
    return { sha256: same, isSkipped: true };
  }
  const resume = isResumed
    ? (await repeatTransient(() => files.uploads(target.path))).find(
        ({ size, offset }) => size === sizeBytes && offset <= sizeBytes,
      )
    : undefined;
  progress.given(resume?.offset ?? 0);
  const source = toUploadSource(file.path, sizeBytes);
  await files.upload(target.path, source, {
    overwrite: isForced,
    mode,
    resume,
    isPatient: true,
    onProgress: (sentBytes) => progress.at(file.path, sentBytes),
  });
  return { sha256: await source.sha256(), isSkipped: false };
}

/** The checksum of both, when it is the same. */
async function sameSum(
  files: FilesClient,
  { path }: LocalFile,
  target: RemotePlace,
): Promise<string | undefined> {
  const sum = repeatTransient(() => files.checksum(target.path));
  const [here, there] = await Promise.all([sha256Of(path), sum]);
  return here === there.checksum ? here : undefined;
}

/** Whether it had to be made. */
async function keepRemoteFolder(files: FilesClient, place: RemotePlace): Promise<boolean> {
  const there = await statRemote(files, place.path);
  if (there?.type === 'dir') return false;
  if (there !== undefined) throw new FileExistsError(toWord(place));
  await files.makeFolder(place.path);
  return true;
}

async function statRemote(files: FilesClient, path: string): Promise<FileEntry | undefined> {
  try {
    return await files.stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
