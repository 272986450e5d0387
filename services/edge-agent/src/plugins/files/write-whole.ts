import { lstat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { FileEntry } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import { type Conditions, demandConditions } from './byte-range.js';
import { forPath } from './file-errors.js';
import { etagOf } from './file-facts.js';
import { readEntry } from './list-folder.js';
import type { SafePaths } from './safe-path.js';
import { createPart, demandSpace, finishPart, newPartName, removePart, writeFrom } from './write-file.js';

export interface WriteWholeOptions {
  readonly maxBytes: number;
  /** Content-Length, when the caller sent it. */
  readonly announcedBytes: number | undefined;
  readonly conditions: Conditions;
  readonly mode: number | undefined;
}

/**
 * Writes a file from a stream and puts it in place when it is whole; an existing one is replaced unless the conditions
 * say otherwise.
 * @throws {AppError} precondition-failed (before the body is read, if it can be known), body-too-large, no-space-left
 */
export async function writeWhole(
  paths: SafePaths,
  path: string,
  body: Readable,
  { maxBytes, announcedBytes, conditions, mode }: WriteWholeOptions,
): Promise<FileEntry> {
  if ((announcedBytes ?? 0) > maxBytes)
    throw new AppError('body-too-large', `Files are at most ${maxBytes} bytes here`);
  const { folder, name } = await paths.openParent(path);
  const part = newPartName();
  try {
    folder.demandWritable();
    return await forPath(path, async () => {
      const existing = await lstat(folder.at(name), { bigint: true }).catch(() => undefined);
      demandConditions(conditions, existing?.isFile() === true ? etagOf(existing) : undefined);
      if (announcedBytes !== undefined) await demandSpace(folder, announcedBytes);
      const handle = await createPart(folder, part);
      try {
        await writeFrom(handle, 0, body as AsyncIterable<Buffer>, maxBytes);
        await finishPart(folder, part, handle, name, { overwrite: true, conditions, mode });
      } finally {
        await handle.close();
      }
      return readEntry(folder, name);
    });
  } finally {
    await removePart(folder, part);
    await folder.close();
  }
}
