/**
 * A tar.gz unpacked into a new folder.
 *
 * I1. The folder appears whole, by one rename, or not at all.
 * I2. Every entry is made relative to a descriptor of the folder above it, never through a link; a link in the archive
 *     is made last, and only when its text stays inside the new folder.
 * I3. Bytes are counted as they come out of the compression, headers included: what is small and grows is stopped.
 */
import { constants } from 'node:fs';
import { lstat, mkdir, open, symlink } from 'node:fs/promises';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Unpacked } from '@gantry/contracts';
import { AppError, messageOf } from '@gantry/kernel';
import { extract as createExtract, type Extract, type Header } from 'tar-stream';
import { moveFolder, removeAt } from './change-folder.js';
import type { FilesConfig } from './config.js';
import { forPath } from './file-errors.js';
import type { Folder, SafePaths } from './safe-path.js';
import { newPartName, writeFrom } from './write-file.js';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const maxDepth = 256;

type Limits = Pick<FilesConfig, 'maxArchiveBytes' | 'maxArchiveEntries' | 'maxFileBytes'>;

interface Work {
  readonly into: Folder;
  readonly limits: Limits;
  readonly links: { readonly names: readonly string[]; readonly text: string }[];
  readonly counts: { files: number; folders: number; bytes: number; entries: number };
}

/** @throws {AppError} file-exists, archive-refused (nothing is left then), file-access-denied, no-space-left */
export async function unpackArchive(
  paths: SafePaths,
  path: string,
  body: Readable,
  limits: Limits,
  signal: AbortSignal,
): Promise<Unpacked> {
  const { folder, name } = await paths.openParent(path);
  const part = newPartName();
  try {
    folder.demandWritable();
    if ((await lstat(folder.at(name)).catch(() => undefined)) !== undefined)
      throw new AppError('file-exists', `${path}: it exists already`);
    return await forPath(path, async () => {
      await mkdir(folder.at(part), { mode: 0o700 });
      const unpacked = await unpackInto(folder, part, body, limits, signal);
      // I1
      await moveFolder(folder.at(part), folder.at(name));
      await folder.sync();
      return { path: posix.join(folder.realPath, name), ...unpacked };
    });
  } finally {
    await removeAt(folder, part, true, new AbortController().signal, 0).catch(() => undefined);
    await folder.close();
  }
}

async function unpackInto(
  folder: Folder,
  part: string,
  body: Readable,
  limits: Limits,
  signal: AbortSignal,
): Promise<Omit<Unpacked, 'path'>> {
  const into = await folder.openChild(part);
  const work: Work = { into, limits, links: [], counts: { files: 0, folders: 0, bytes: 0, entries: 0 } };
  const extract = createExtract();
  const feeding = feed(body, extract, limits.maxArchiveBytes);
  try {
    for await (const entry of extract) {
      signal.throwIfAborted();
      await addEntry(entry.header, entry as AsyncIterable<Buffer>, work);
      entry.resume();
    }
    await feeding;
    for (const link of work.links) await addLink(link.names, link.text, work);
  } catch (error) {
    extract.destroy();
    // What ended the input is the better reason than what that did to the parser.
    throw toArchiveError(
      await feeding.then(
        () => error,
        (cause: unknown) => cause ?? error,
      ),
    );
  } finally {
    await into.close();
  }
  const { files, folders, bytes } = work.counts;
  return { files, folders, symlinks: work.links.length, bytes };
}

/** I3 */
async function feed(body: Readable, extract: Extract, maxBytes: number): Promise<void> {
  const gunzip = createGunzip();
  const piped = pipeline(body, gunzip);
  piped.catch(() => undefined);
  let total = 0;
  let isClosed = false;
  const closed = new Promise<void>((resolve) => {
    extract.once('close', () => {
      isClosed = true;
      resolve();
    });
  });
  try {
    for await (const piece of gunzip as AsyncIterable<Buffer>) {
      total += piece.length;
      if (total > maxBytes) throw refused(`it unpacks to more than ${maxBytes} bytes`);
      if (isClosed) return;
      if (!extract.write(piece))
        await Promise.race([new Promise<void>((resolve) => extract.once('drain', () => resolve())), closed]);
    }
    extract.end(null);
  } catch (error) {
    extract.destroy();
    throw error;
  } finally {
    gunzip.destroy();
  }
}

async function addEntry(header: Header, content: AsyncIterable<Buffer>, work: Work): Promise<void> {
  const { counts, limits } = work;
  counts.entries += 1;
  if (counts.entries > limits.maxArchiveEntries)
    throw refused(`it has more than ${limits.maxArchiveEntries} entries`);
  const names = namesOf(header.name);
  const mode = (header.mode ?? 0) & 0o777;
  switch (header.type) {
    case 'directory':
      await (await openFolders(work, names, mode)).close();
      return;
    case 'file':
    case 'contiguous-file':
      if (names.length === 0) throw refused('an entry has no name');
      await addFile(names, mode | 0o600, content, work);
      return;
    case 'symlink':
      work.links.push({ names, text: checkedLink(names, header.linkname ?? '') });
      return;
    default:
      throw refused(`${header.name}: entries of type "${header.type}" are not unpacked`);
  }
}

async function addFile(
  names: readonly string[],
  mode: number,
  content: AsyncIterable<Buffer>,
  work: Work,
): Promise<void> {
  const folder = await openFolders(work, names.slice(0, -1), undefined);
  try {
    const handle = await open(folder.at(names.at(-1) ?? ''), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode);
    try {
      work.counts.bytes += await writeFrom(handle, 0, content, work.limits.maxFileBytes);
      work.counts.files += 1;
    } finally {
      await handle.close();
    }
  } finally {
    await folder.close();
  }
}

/** Opens a folder of the new tree, making what is missing. I2 */
async function openFolders(work: Work, names: readonly string[], mode: number | undefined): Promise<Folder> {
  let current = await work.into.reopen();
  for (const [index, name] of names.entries()) {
    try {
      const isLast = index === names.length - 1;
      const created = await mkdir(current.at(name), {
        mode: (isLast ? (mode ?? 0o700) : 0o700) | 0o700,
      }).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error;
          return false;
        },
      );
      if (created) work.counts.folders += 1;
      const child = await current.openChild(name);
      await current.close();
      current = child;
    } catch (error) {
      await current.close();
      throw error;
    }
  }
  return current;
}

async function addLink(names: readonly string[], text: string, work: Work): Promise<void> {
  const folder = await openFolders(work, names.slice(0, -1), undefined);
  try {
    await symlink(text, folder.at(names.at(-1) ?? ''));
  } finally {
    await folder.close();
  }
}

/** The plain names of a path in the archive. */
function namesOf(path: string): readonly string[] {
  if (path.startsWith('/') || path.includes('\0')) throw refused(`${path}: absolute paths are not unpacked`);
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw refused(`${path}: ".." is not unpacked`);
  if (names.length > maxDepth) throw refused(`${path.slice(0, 200)}…: nested more than ${maxDepth} deep`);
  return names;
}

/** I2: relative, and never above the new folder, not even on the way. */
function checkedLink(names: readonly string[], text: string): string {
  const path = names.join('/');
  if (names.length === 0 || text === '' || text.startsWith('/') || text.includes('\0'))
    throw refused(`${path}: a link to "${text}" is not unpacked`);
  let depth = names.length - 1;
  for (const step of text.split('/')) {
    if (step === '..') depth -= 1;
    else if (step !== '' && step !== '.') depth += 1;
    if (depth < 0) throw refused(`${path}: the link to "${text}" leads out of the archive`);
  }
  return text;
}

const refused = (why: string): AppError => new AppError('archive-refused', `The archive is refused: ${why}`);

/** What the parsers throw is about the archive; what the file system throws is translated by the caller. */
function toArchiveError(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'EEXIST') return refused('it has an entry twice');
  if (code === 'ENOTDIR' || code === 'EISDIR' || code === 'ELOOP')
    return refused('an entry is a file or a link in one place and a folder in another');
  if (code.startsWith('Z_')) return refused(`it is not a whole tar.gz (${messageOf(error)})`);
  if (/tar|Unexpected end of data|Invalid/i.test(messageOf(error)) && code === '')
    return refused(messageOf(error));
  return error;
}
