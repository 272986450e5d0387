/**
 * A folder as a tar.gz, made while it is sent.
 *
 * I1. Symbolic links go in as links; what they point to does not.
 * I2. One file is open at a time, and one descriptor per level of folders.
 * I3. A file that changes its size meanwhile breaks the archive off: tar announces sizes first.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { basename, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { AppError } from '@gantry/kernel';
import { pack as createPack, type Header, type Pack } from 'tar-stream';
import type { PluginReply } from '../../core/ports.js';
import { readNames } from './list-folder.js';
import type { Folder, SafePaths } from './safe-path.js';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const maxDepth = 256;
const pieceBytes = 256 * 1024;

/** @throws {AppError} wrong-file-type, file-not-found; later failures break the stream off */
export async function packFolder(paths: SafePaths, path: string, signal: AbortSignal): Promise<PluginReply> {
  const folder = await paths.openFolder(path);
  const pack = createPack({ highWaterMark: pieceBytes });
  const gzip = createGzip({ level: 1 });
  const piped = pipeline(pack as AsyncIterable<Uint8Array>, gzip);
  // The stream itself tells its reader.
  piped.catch(() => undefined);
  packInto(pack, folder, '', signal, 0)
    .then(() => pack.finalize())
    .catch((error: unknown) => {
      const reason = error instanceof Error ? error : new Error(String(error));
      pack.destroy(reason);
      gzip.destroy(reason);
    })
    .finally(() => folder.close());
  gzip.once('close', () => pack.destroy());
  const name = basename(folder.realPath) || 'root';
  return {
    headers: {
      'content-type': 'application/gzip',
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}.tar.gz`,
    },
    stream: gzip,
  };
}

async function packInto(
  pack: Pack,
  folder: Folder,
  prefix: string,
  signal: AbortSignal,
  depth: number,
): Promise<void> {
  if (depth > maxDepth)
    throw new AppError('invalid-request', `Folders are nested more than ${maxDepth} deep`);
  for (const name of await readNames(folder)) {
    signal.throwIfAborted();
    if (pack.destroyed) throw new Error('The reader of the archive left');
    const inner = posix.join(prefix, name);
    const stats = await lstat(folder.at(name)).catch(() => undefined);
    if (stats === undefined) continue;
    const head = { name: inner, mode: stats.mode & 0o777, mtime: stats.mtime };
    if (stats.isDirectory()) {
      await addEntry(pack, { ...head, name: `${inner}/`, type: 'directory' });
      const child = await folder.openChild(name);
      try {
        await packInto(pack, child, inner, signal, depth + 1);
      } finally {
        await child.close();
      }
    } else if (stats.isSymbolicLink()) {
      // I1
      await addEntry(pack, { ...head, type: 'symlink', linkname: await readlink(folder.at(name)) });
    } else if (stats.isFile()) await addFile(pack, folder, name, head);
  }
}

type EntryHead = Pick<Header, 'name'> & Partial<Header>;

function addEntry(pack: Pack, head: EntryHead): Promise<void> {
  return new Promise((resolve, reject) => {
    const entry = pack.entry(head, (error) =>
      error === null || error === undefined ? resolve() : reject(error),
    );
    entry.end(null);
  });
}

async function addFile(pack: Pack, folder: Folder, name: string, head: EntryHead): Promise<void> {
  const handle = await open(folder.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (stats.isFile()) await sendFile(pack, handle, { ...head, size: stats.size, type: 'file' });
  } finally {
    await handle.close();
  }
}

/** I3: with too few bytes the entry fails. */
async function sendFile(pack: Pack, handle: FileHandle, head: EntryHead & { size: number }): Promise<void> {
  let wake: () => void = () => undefined;
  const done = new Promise<void>((resolve, reject) => {
    const entry = pack.entry(head, (error) =>
      error === null || error === undefined ? resolve() : reject(error),
    );
    entry.on('drain', () => wake());
    const send = async (): Promise<void> => {
      for (let position = 0; position < head.size; ) {
        const piece = Buffer.allocUnsafe(Math.min(pieceBytes, head.size - position));
        const { bytesRead } = await handle.read(piece, 0, piece.length, position);
        if (bytesRead === 0) throw new Error(`${head.name} became shorter while it was packed`);
        position += bytesRead;
        const drained = new Promise<void>((resume) => {
          wake = resume;
        });
        if (!entry.write(piece.subarray(0, bytesRead))) await drained;
      }
      entry.end(null);
    };
    send().catch((error: unknown) => {
      entry.destroy();
      reject(error);
    });
  });
  try {
    await done;
  } finally {
    // A reader that left stops the sending too.
    wake();
  }
}
