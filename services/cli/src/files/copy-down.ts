/** From a node to this machine. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type FilesClient, type FileVersion, repeatTransient } from '@gantry/client';
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
  maxCompared,
} from './copy-plan.js';
import { hashInto, keepFolder, maxDepth, sha256Of, statLocal } from './local-files.js';
import { isPlainName, lastNameOf, type RemotePlace, toWord } from './place.js';
import { TransferProgress } from './transfer-progress.js';

const partPrefix = '.gantry-part-';
const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/** @throws {UsageError} what cannot be copied so · {GantryError} what the node refuses */
export async function copyDown(
  files: FilesClient,
  place: RemotePlace,
  to: string,
  options: CopyOptions,
): Promise<CopyResult> {
  const entry = await files.stat(place.path);
  const isFolder = entry.type === 'dir';
  if (isFolder && !options.isRecursive)
    throw new UsageError(`${toWord(place)} is a folder; -r copies it with everything in it`);
  const there = await statLocal(to);
  if (there === undefined && to.endsWith('/')) throw new UsageError(`${to} is not there`);
  const target = there?.isDirectory() === true ? await chooseTarget(files, place, to, isFolder, options) : to;
  if (isFolder) return await copyFolder(files, place, target, options);
  const version = await files.version(place.path);
  const progress = new TransferProgress(version.sizeBytes);
  try {
    const mode = entry.type === 'file' ? entry.mode : undefined;
    const { isSkipped, sha256 } = await copyFile(files, place, { version, mode }, target, options, progress);
    const tally = new CopyTally();
    if (isSkipped) tally.skipped = 1;
    else [tally.files, tally.bytes] = [1, version.sizeBytes];
    return { ...tally.toResult(toWord(place), target), sha256 };
  } finally {
    progress.stop();
  }
}

/** As cp does: into a folder that is there. A copy of a folder that broke off is a folder that is there, too. */
async function chooseTarget(
  files: FilesClient,
  place: RemotePlace,
  to: string,
  isFolder: boolean,
  { isResumed }: CopyOptions,
): Promise<string> {
  const inside = join(to, lastNameOf(place.path));
  if (!isFolder || !isResumed || (await statLocal(inside)) !== undefined) return inside;
  const source = (await files.list(place.path).toArray(maxCompared)).map(({ name }) => name);
  const there = (await readdir(to)).filter((name) => !name.startsWith(partPrefix));
  return isBegunCopy(there, new Set(source)) ? to : inside;
}

async function copyFolder(
  files: FilesClient,
  place: RemotePlace,
  target: string,
  options: CopyOptions,
): Promise<CopyResult> {
  const tally = new CopyTally();
  const progress = new TransferProgress(undefined);
  const pool = new CopyPool(tally, progress);
  const keep = async (path: string) => {
    if ((await statLocal(path)) === undefined) tally.folders += 1;
    await keepFolder(path);
  };
  try {
    await keep(target);
    for await (const { below, entry } of walkRemote(files, place.path)) {
      const path = join(target, below);
      if (entry.type === 'dir') await keep(path);
      else if (entry.type !== 'file' || entry.etag === null || entry.size === null) tally.leaveOut(below);
      else {
        const from = { ...place, path: entry.path };
        const version = { etag: entry.etag, sizeBytes: entry.size };
        const what = { version, mode: entry.mode };
        await pool.add(path, entry.size, () => copyFile(files, from, what, path, options, progress));
      }
    }
    await pool.end();
  } finally {
    await pool.settle();
    progress.stop();
  }
  return tally.toResult(toWord(place), target);
}

/** Everything in a folder of a node, folders before what is in them. Links are not followed. */
async function* walkRemote(
  files: FilesClient,
  path: string,
  below = '',
  depth = 0,
): AsyncGenerator<{ below: string; entry: FileEntry }, void, undefined> {
  if (depth > maxDepth) throw new UsageError(`${path} has folders nested more than ${maxDepth} deep`);
  for await (const entry of files.list(path, { isPatient: true })) {
    if (!isPlainName(entry.name)) throw new UsageError(`the node names a file ${JSON.stringify(entry.name)}`);
    const inner = join(below, entry.name);
    yield { below: inner, entry };
    if (entry.type === 'dir') yield* walkRemote(files, entry.path, inner, depth + 1);
  }
}

/**
 * Bytes go to a hidden file beside the target, which carries the version in its name: only what is of the same version
 * is gone on with. It takes the name of the target when it is whole and has the checksum that the node tells.
 */
async function copyFile(
  files: FilesClient,
  place: RemotePlace,
  { mode, version }: { readonly version: FileVersion; readonly mode: string | undefined },
  target: string,
  { interrupt, isForced, isResumed }: CopyOptions,
  progress: TransferProgress,
): Promise<CopiedFile> {
  const there = await statLocal(target);
  if (there?.isDirectory() === true) throw new UsageError(`${target} is a folder`);
  if (there !== undefined && !isForced) {
    const same =
      isResumed && there.size === version.sizeBytes ? await sameSum(files, place, target) : undefined;
    if (same === undefined) throw new FileExistsError(target);
    return { sha256: same, isSkipped: true };
  }
  const part = partOf(target, version);
  interrupt.begun(part);
  const sha256 = await fetchInto(files, place, { version, mode, part, isResumed }, (bytes, isGiven) => {
    if (isGiven) progress.given(bytes);
    progress.at(target, bytes);
  });
  const told = await repeatTransient(() => files.checksum(place.path));
  if (told.etag !== version.etag) throw changed(place);
  if (told.checksum !== sha256) {
    await unlink(part);
    throw new Error(`${toWord(place)} did not arrive as it is there: the checksums differ. Copy it again`);
  }
  await takeName(part, target, isForced);
  interrupt.done(part);
  return { sha256, isSkipped: false };
}

interface Fetch {
  readonly version: FileVersion;
  readonly mode: string | undefined;
  readonly part: string;
  readonly isResumed: boolean;
}

/** The checksum of what is in the part in the end. */
async function fetchInto(
  files: FilesClient,
  place: RemotePlace,
  { isResumed, mode, part, version }: Fetch,
  onProgress: (bytes: number, isGiven: boolean) => void,
): Promise<string> {
  const hash = createHash('sha256');
  const kept = isResumed ? ((await statLocal(part))?.size ?? 0) : 0;
  const start = kept <= version.sizeBytes ? kept : 0;
  if (start > 0) await hashInto(hash, part);
  onProgress(start, true);
  const bits = mode === undefined ? 0o666 : Number.parseInt(mode, 8) & 0o777;
  const handle = await open(part, O_WRONLY | O_CREAT | O_NOFOLLOW | (start > 0 ? 0 : O_TRUNC), bits);
  try {
    let position = start;
    for await (const piece of files.read(place.path, version, { offset: start })) {
      hash.update(piece);
      for (let written = 0; written < piece.length; ) {
        const { bytesWritten } = await handle.write(piece, written, piece.length - written, position);
        written += bytesWritten;
        position += bytesWritten;
      }
      onProgress(position, false);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

/** Not longer than a name may be, whatever the target is called. */
function partOf(target: string, { etag }: FileVersion): string {
  const whole = resolve(target);
  const tag = createHash('sha256')
    .update(`${basename(whole)}\n${etag}`)
    .digest('hex')
    .slice(0, 24);
  return join(dirname(whole), `${partPrefix}${tag}`);
}

/** A link fails when somebody else took the name meanwhile; a rename would not. */
async function takeName(part: string, target: string, isForced: boolean): Promise<void> {
  if (isForced) return await rename(part, target);
  try {
    await link(part, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new FileExistsError(target);
    // A file system without hard links: it was looked before.
    return await rename(part, target);
  }
  await unlink(part);
}

async function sameSum(files: FilesClient, place: RemotePlace, target: string): Promise<string | undefined> {
  const sum = repeatTransient(() => files.checksum(place.path));
  const [here, there] = await Promise.all([sha256Of(target), sum]);
  return here === there.checksum ? here : undefined;
}

const changed = (place: RemotePlace): Error =>
  new Error(`${toWord(place)} was changed while it was copied; copy it again`);
