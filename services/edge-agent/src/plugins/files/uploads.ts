/**
 * Uploads that can be gone on with after a broken connection or a restart of the agent.
 *
 * I1. The offset is the size of the part on the disk, nothing else; so it is right after any crash.
 * I2. One writer at a time per upload.
 * I3. An upload is of its creator alone.
 * I4. One that is not gone on with is deleted with its part after its time.
 */

import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type BeginUpload, beginUploadSchema, type UploadState } from '@gantry/contracts';
import { AppError, type Clock, type Logger } from '@gantry/kernel';
import { z } from 'zod';
import { replaceFile } from '../../core/state-folder.js';
import { forPath } from './file-errors.js';
import type { Folder, SafePaths } from './safe-path.js';
import {
  createPart,
  demandSpace,
  finishPart,
  newPartName,
  parseMode,
  removePart,
  writeFrom,
} from './write-file.js';

const recordSchema = z.object({
  id: z.string(),
  user: z.string(),
  part: z.string(),
  updatedAtMs: z.number(),
  request: beginUploadSchema,
});
type UploadRecord = z.infer<typeof recordSchema>;

const noConditions = { ifMatch: undefined, ifNoneMatch: undefined };
const { O_NOFOLLOW, O_RDWR } = constants;

export interface UploadsOptions {
  /** Where the records are. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: () => { ttlMs: number; maxPerUser: number; maxFileBytes: number };
  /** The roots of a user, for cleaning up without a call. */
  readonly pathsFor: (user: string) => Promise<SafePaths>;
}

export class Uploads {
  readonly #options: UploadsOptions;
  readonly #busy = new Set<string>();

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** @throws {AppError} too-many-concurrent, file-exists, no-space-left, body-too-large, and what paths throw */
  async begin(paths: SafePaths, user: string, request: BeginUpload): Promise<UploadState> {
    const { maxPerUser, maxFileBytes } = this.#options.limits();
    if ((request.size ?? 0) > maxFileBytes)
      throw new AppError('body-too-large', `Files are at most ${maxFileBytes} bytes here`);
    const own = (await this.#records()).filter((record) => record.user === user);
    if (own.length >= maxPerUser)
      throw new AppError('too-many-concurrent', `You have ${own.length} unfinished uploads here already`);
    const { folder, name } = await paths.openParent(request.path);
    try {
      folder.demandWritable();
      if (!request.overwrite) await demandAbsent(folder, name, request.path);
      if (request.size !== undefined) await demandSpace(folder, request.size);
      const part = newPartName();
      const record = { id: randomUUID(), user, part, updatedAtMs: this.#options.clock.now(), request };
      const handle = await forPath(request.path, () => createPart(folder, part));
      await handle.close();
      await this.#save(record);
      return this.#toState(record, 0);
    } finally {
      await folder.close();
    }
  }

  /** @throws {AppError} upload-not-found */
  async find(paths: SafePaths, user: string, id: string): Promise<UploadState> {
    const record = await this.#load(user, id);
    return this.#withPart(paths, record, async (_folder, _name, part) =>
      this.#toState(record, (await part.stat()).size),
    );
  }

  /** Those of the user that can be gone on with, the newest first; `path`: only those that are to become it. */
  async list(paths: SafePaths, user: string, path: string | undefined): Promise<readonly UploadState[]> {
    const wanted = path === undefined ? undefined : paths.normalize(path);
    const own = (await this.#records())
      .filter((record) => record.user === user)
      .filter(({ request }) => wanted === undefined || isCalled(paths, request.path, wanted))
      .sort((a, b) => b.updatedAtMs - a.updatedAtMs);
    const states: UploadState[] = [];
    for (const { id } of own) {
      // One may have ended meanwhile, or its root is not shared any more.
      const state = await this.find(paths, user, id).catch(() => undefined);
      if (state !== undefined) states.push(state);
    }
    return states;
  }

  /** @throws {AppError} upload-offset-mismatch with the right one, body-too-large, no-space-left, plugin-busy */
  append(paths: SafePaths, user: string, id: string, offset: number, body: Readable): Promise<UploadState> {
    return this.#alone(id, async () => {
      const record = await this.#load(user, id);
      return this.#withPart(paths, record, async (_folder, _name, part) => {
        const { size } = await part.stat();
        if (size !== offset)
          throw new AppError('upload-offset-mismatch', `The upload stands at ${size}, not at ${offset}`, {
            headers: { 'upload-offset': String(size) },
          });
        await this.#save({ ...record, updatedAtMs: this.#options.clock.now() });
        const max = record.request.size ?? this.#options.limits().maxFileBytes;
        try {
          const end = await writeFrom(part, offset, body as AsyncIterable<Buffer>, max);
          return this.#toState(record, end);
        } finally {
          await part.sync();
        }
      });
    });
  }

  /**
   * Gives the file its name.
   * @throws {AppError} checksum-mismatch (then the upload is over), upload-offset-mismatch, file-exists
   */
  finish(
    paths: SafePaths,
    user: string,
    id: string,
    sha256: string | undefined,
    hash: (part: FileHandle) => Promise<string>,
  ): Promise<string> {
    return this.#alone(id, async () => {
      const record = await this.#load(user, id);
      return this.#withPart(paths, record, async (folder, name, part) => {
        const { size } = await part.stat();
        const announced = record.request.size;
        if (announced !== undefined && size !== announced)
          throw new AppError(
            'upload-offset-mismatch',
            `${size} of the announced ${announced} bytes are here`,
            {
              headers: { 'upload-offset': String(size) },
            },
          );
        if (sha256 !== undefined && (await hash(part)) !== sha256) {
          await this.#forget(folder, record);
          throw new AppError(
            'checksum-mismatch',
            'The bytes are not the announced ones; the upload was deleted',
          );
        }
        const { overwrite, mode } = record.request;
        const options = { overwrite, conditions: noConditions, mode: parseMode(mode) };
        await finishPart(folder, record.part, part, name, options);
        await this.#forget(folder, record);
        return join(folder.realPath, name);
      });
    });
  }

  /** @throws {AppError} upload-not-found, plugin-busy */
  cancel(paths: SafePaths, user: string, id: string): Promise<void> {
    return this.#alone(id, async () => {
      const record = await this.#load(user, id);
      await this.#discard(paths, record);
    });
  }

  /** I4 */
  async sweep(): Promise<void> {
    const overBeforeMs = this.#options.clock.now() - this.#options.limits().ttlMs;
    for (const record of await this.#records()) {
      if (record.updatedAtMs > overBeforeMs || this.#busy.has(record.id)) continue;
      await this.#discard(await this.#options.pathsFor(record.user), record);
      this.#options.logger.info('an abandoned upload was deleted', { op: 'upload.expire', id: record.id });
    }
  }

  /** The names of all parts that have a record. */
  async partNames(): Promise<ReadonlySet<string>> {
    return new Set((await this.#records()).map(({ part }) => part));
  }

  async #discard(paths: SafePaths, record: UploadRecord): Promise<void> {
    const parent = await paths.openParent(record.request.path).catch(() => undefined);
    try {
      await this.#forget(parent?.folder, record);
    } finally {
      await parent?.folder.close();
    }
  }

  async #forget(folder: Folder | undefined, record: UploadRecord): Promise<void> {
    if (folder !== undefined) await removePart(folder, record.part);
    await rm(this.#pathOf(record.id), { force: true });
  }

  async #withPart<T>(
    paths: SafePaths,
    record: UploadRecord,
    work: (folder: Folder, name: string, part: FileHandle) => Promise<T>,
  ): Promise<T> {
    const { path } = record.request;
    const { folder, name } = await paths.openParent(path);
    try {
      folder.demandWritable();
      const part = await open(folder.at(record.part), O_RDWR | O_NOFOLLOW).catch(() => undefined);
      if (part === undefined) {
        await this.#forget(folder, record);
        throw unknownUpload(record.id);
      }
      try {
        return await forPath(path, () => work(folder, name, part));
      } finally {
        await part.close();
      }
    } finally {
      await folder.close();
    }
  }

  /** I2 */
  async #alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (this.#busy.has(id))
      throw new AppError('plugin-busy', 'The upload is being written by another request right now');
    this.#busy.add(id);
    try {
      return await work();
    } finally {
      this.#busy.delete(id);
    }
  }

  /** I3 */
  async #load(user: string, id: string): Promise<UploadRecord> {
    if (!/^[0-9a-f-]{36}$/.test(id)) throw unknownUpload(id);
    const record = await this.#read(id);
    if (record === undefined || record.user !== user) throw unknownUpload(id);
    return record;
  }

  async #records(): Promise<readonly UploadRecord[]> {
    const names = await readdir(this.#options.folder).catch(() => []);
    const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
    const records = await Promise.all(ids.map((id) => this.#read(id)));
    return records.filter((record) => record !== undefined);
  }

  async #read(id: string): Promise<UploadRecord | undefined> {
    try {
      return recordSchema.parse(JSON.parse(await readFile(this.#pathOf(id), 'utf8')));
    } catch {
      return undefined;
    }
  }

  async #save(record: UploadRecord): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    await replaceFile(this.#pathOf(record.id), JSON.stringify(record));
  }

  #pathOf(id: string): string {
    return join(this.#options.folder, `${id}.json`);
  }

  #toState({ id, request, updatedAtMs }: UploadRecord, offset: number): UploadState {
    return {
      id,
      path: request.path,
      offset,
      size: request.size ?? null,
      expires_at: new Date(updatedAtMs + this.#options.limits().ttlMs).toISOString(),
    };
  }
}

/** Whether a path of an earlier call is this one. The roots may have changed since. */
function isCalled(paths: SafePaths, path: string, wanted: string): boolean {
  try {
    return paths.normalize(path) === wanted;
  } catch {
    return false;
  }
}

const unknownUpload = (id: string): AppError =>
  new AppError('upload-not-found', `There is no upload ${id.slice(0, 64)} of yours here`);

async function demandAbsent(folder: Folder, name: string, path: string): Promise<void> {
  const existing = await lstat(folder.at(name)).catch(() => undefined);
  if (existing !== undefined) throw new AppError('file-exists', `${path}: it exists already`);
}
