import {
  type FileChecksum,
  type FileEntry,
  type FileRoot,
  fileChecksumSchema,
  fileEntrySchema,
  fileListSchema,
  fileRootListSchema,
  type Unpacked,
  type UploadState,
  unpackedSchema,
  uploadListSchema,
} from '@gantry/contracts';
import {
  type FileVersion,
  readFileVersion,
  type UploadOptions,
  type UploadSource,
  uploadFile,
} from './file-transfer.js';
import { GantryError } from './gantry-error.js';
import { Paged } from './paged.js';
import { PluginClient } from './plugin-client.js';
import { repeatTransient } from './transient.js';
import { type RequestOptions, readJson } from './transport.js';

/**
 * The plugin `files` of a node. Paths are absolute, or relative to its first root.
 *
 * @example
 * const files = bridge.node('hpc-login-1').plugin('files');
 * for await (const entry of files.list('results')) console.log(entry.name, entry.size);
 * const version = await files.version('results/out.dat');
 * for await (const bytes of files.read('results/out.dat', version)) sink.write(bytes);
 */
export class FilesClient extends PluginClient {
  /** The folders of the node that are shared with the caller. */
  async roots(options: RequestOptions = {}): Promise<readonly FileRoot[]> {
    return fileRootListSchema.parse(await this.get('roots', options)).roots;
  }

  /**
   * By name. Iterating throws `GantryError`: file-not-found, wrong-file-type, path-refused. With `isPatient`, a page
   * that fails in passing is asked for again, for a minute.
   */
  list(
    path: string,
    { isPatient = false, ...options }: RequestOptions & { readonly isPatient?: boolean | undefined } = {},
  ): Paged<FileEntry> {
    return new Paged(async (cursor) => {
      const fetchPage = () => this.get('list', { ...options, query: { path, after: cursor } });
      const page = await (isPatient ? repeatTransient(fetchPage, options) : fetchPage());
      const { entries, next } = fileListSchema.parse(page);
      return { items: entries, next_cursor: next };
    });
  }

  /** The entry itself: a link is not followed. @throws {GantryError} file-not-found, path-refused */
  async stat(path: string, options: RequestOptions = {}): Promise<FileEntry> {
    return fileEntrySchema.parse(await this.get('stat', { ...options, query: { path } }));
  }

  /** Of the whole file, made on the node; a large one takes as long as its disk. @throws {GantryError} wrong-file-type */
  async checksum(path: string, options: RequestOptions = {}): Promise<FileChecksum> {
    const query = { path };
    return fileChecksumSchema.parse(
      await this.get('checksum', { ...options, query, timeoutMs: options.timeoutMs ?? longMs }),
    );
  }

  /** @throws {GantryError} file-exists, file-not-found when the folder above is missing and `parents` is not set */
  async makeFolder(
    path: string,
    { parents = false, ...options }: RequestOptions & { readonly parents?: boolean | undefined } = {},
  ): Promise<void> {
    await this.post('mkdir', { path, parents }, options);
  }

  /** @throws {GantryError} file-exists unless `overwrite`, invalid-path for another file system */
  async move(
    from: string,
    to: string,
    { overwrite = false, ...options }: RequestOptions & { readonly overwrite?: boolean | undefined } = {},
  ): Promise<void> {
    await this.post('move', { from, to, overwrite }, options);
  }

  /** How many entries went. @throws {GantryError} folder-not-empty unless `recursive` */
  async remove(
    path: string,
    { recursive = false, ...options }: RequestOptions & { readonly recursive?: boolean | undefined } = {},
  ): Promise<number> {
    const request = { timeoutMs: longMs, ...options, method: 'DELETE', query: { path, recursive } };
    const answer = await readJson(await this.request('entry', request));
    return (answer as { deleted: number }).deleted;
  }

  /** Which version of a file there is; links are followed. @throws {GantryError} file-not-found, wrong-file-type */
  async version(path: string, options: RequestOptions = {}): Promise<FileVersion> {
    // A HEAD has no body to say why it was refused.
    const { etag, size, type } = await this.stat(path, options);
    if (etag !== null && size !== null) return { etag, sizeBytes: size };
    if (type !== 'symlink')
      throw new GantryError({
        code: 'wrong-file-type',
        url: this.url,
        detail: `${path} is no file: ${type}`,
      });
    const { headers } = await this.request('content', { ...options, method: 'HEAD', query: { path } });
    const sizeBytes = Number(headers.get('content-length') ?? Number.NaN);
    const tag = headers.get('etag');
    if (tag !== null && Number.isSafeInteger(sizeBytes)) return { etag: tag, sizeBytes };
    const detail = `${this.url} did not say which version of ${path} there is`;
    throw new GantryError({ code: 'unexpected-answer', url: this.url, detail });
  }

  /**
   * The bytes of one version of a file from `offset` on, as fast as they are taken. A connection that breaks is made
   * again, and goes on where it was.
   * @throws {GantryError} precondition-failed when the file is another one by now
   */
  read(
    path: string,
    version: FileVersion,
    options: { readonly offset?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return readFileVersion(this, path, version, options);
  }

  /**
   * Sends a file, which appears under its name when it is whole and has the announced checksum. A connection that
   * breaks is made again, and goes on where the node stands.
   * @returns where the file is on the node
   * @throws {GantryError} file-exists unless `overwrite`, checksum-mismatch, no-space-left, body-too-large
   */
  upload(path: string, source: UploadSource, options: UploadOptions): Promise<string> {
    return uploadFile(this, path, source, options);
  }

  /** Unfinished uploads of the caller: all, or those that are to become `path`. */
  async uploads(path?: string, options: RequestOptions = {}): Promise<readonly UploadState[]> {
    return uploadListSchema.parse(await this.get('uploads', { ...options, query: { path } })).uploads;
  }

  /** Gives an unfinished upload up. @throws {GantryError} upload-not-found */
  async cancelUpload(id: string, options: RequestOptions = {}): Promise<void> {
    await this.request(`uploads/${encodeURIComponent(id)}`, { ...options, method: 'DELETE' });
  }

  /** A folder as tar.gz, made while it is read. */
  async archive(path: string, options: RequestOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const { body } = await this.request('archive', { timeoutMs: longMs, ...options, query: { path } });
    if (body !== null) return body;
    throw new GantryError({ code: 'unexpected-answer', url: this.url, detail: 'The archive has no body' });
  }

  /** Unpacks a tar.gz into a folder that is not there yet; it appears whole or not at all. */
  async unpack(
    path: string,
    body: ReadableStream<Uint8Array>,
    options: RequestOptions = {},
  ): Promise<Unpacked> {
    const request = { timeoutMs: longMs, ...options, method: 'PUT', query: { path }, body };
    return unpackedSchema.parse(await readJson(await this.request('archive', request)));
  }
}

/** As long as the node itself may take. */
const longMs = 6 * 3_600_000;
