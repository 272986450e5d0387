/**
 * Files of any size to a node and back, over connections that may break.
 *
 * I1. What the node has is asked, never assumed: an upload goes on at the offset that it tells.
 * I2. A download is of one version: ranges are asked for with If-Match.
 * I3. Bytes are read from the source as fast as the connection takes them; a piece or two are held at a time.
 */
import { fileChecksumSchema, type UploadState, uploadStateSchema } from '@gantry/contracts';
import { GantryError, isGantryError, toUnreachableError } from './gantry-error.js';
import type { PluginClient } from './plugin-client.js';
import { StallWatch } from './stall-watch.js';
import { Attempts, isTransient, repeatTransient } from './transient.js';
import { readJson } from './transport.js';

/** A `setTimeout` takes no more; the watch ends what stands still much earlier. */
const withoutLimitMs = 2 ** 31 - 1;
/** A checksum of what was sent is made before the answer. */
const finishMs = 600_000;

/** What a file was at one moment; another `etag` is another content. */
export interface FileVersion {
  readonly etag: string;
  readonly sizeBytes: number;
}

/** What is sent; it may be opened several times. */
export interface UploadSource {
  readonly sizeBytes: number;
  /** The bytes from `offset` to the end. */
  open(offset: number): AsyncIterable<Uint8Array>;
  /** Of the whole, in hex; asked for once, when the bytes are there. */
  sha256(): Promise<string>;
}

export interface UploadOptions {
  readonly overwrite?: boolean | undefined;
  /** Makes the folders above it. */
  readonly parents?: boolean | undefined;
  /** Octal permission bits, such as `0644`; private unless given. */
  readonly mode?: string | undefined;
  /** Goes on with this unfinished upload of the same file. */
  readonly resume?: UploadState | undefined;
  /** Waits for a node that is away when it begins, too; for a minute. */
  readonly isPatient?: boolean | undefined;
  /** Called with how many bytes have left, from 0 or the resumed offset on; it may go back. */
  readonly onProgress?: ((sentBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function* readFileVersion(
  files: PluginClient,
  path: string,
  { etag, sizeBytes }: FileVersion,
  { offset = 0, signal }: { readonly offset?: number; readonly signal?: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
  const attempts = new Attempts();
  let position = offset;
  while (position < sizeBytes) {
    const watch = new StallWatch(files.url, signal);
    try {
      // I2
      const headers = { range: `bytes=${position}-`, 'if-match': etag };
      const request = { query: { path }, headers, signal: watch.signal };
      const { body, status } = await files.request('content', request);
      if (body === null || status !== 206) throw unexpected(files.url, `answered ${status} to a range`);
      for await (const piece of piecesOf(body, files.url)) {
        watch.moved();
        attempts.reset();
        position += piece.length;
        yield piece;
        watch.moved();
      }
      if (position < sizeBytes) throw brokenOff(files.url, 'the body ended early');
    } catch (error) {
      await attempts.after(stallOf(watch, error), signal);
    } finally {
      watch.stop();
    }
  }
}

export async function uploadFile(
  files: PluginClient,
  path: string,
  source: UploadSource,
  options: UploadOptions,
): Promise<string> {
  const { resume, signal } = options;
  const state = resume ?? (await begin(files, path, source, options));
  try {
    await send(files, state, source, options);
    return await finish(files, state, path, await source.sha256(), signal);
  } catch (error) {
    // What cannot be gone on with is not left there; what can be is found again by its path.
    if (isGantryError(error) && !isTransient(error) && error.code !== 'upload-not-found')
      await files.delete(`uploads/${state.id}`).catch(() => undefined);
    throw error;
  }
}

async function begin(
  files: PluginClient,
  path: string,
  { sizeBytes }: UploadSource,
  { isPatient = false, mode, overwrite, parents, signal }: UploadOptions,
): Promise<UploadState> {
  const request = { path, overwrite, parents, mode, size: sizeBytes };
  const post = () => files.post('uploads', request, { signal });
  // One that was begun without an answer stays empty, and the node forgets it.
  const answer = await (isPatient ? repeatTransient(post, { signal }) : post());
  return uploadStateSchema.parse(answer);
}

/** Until the node has every byte. */
async function send(
  files: PluginClient,
  state: UploadState,
  source: UploadSource,
  { onProgress, signal }: UploadOptions,
): Promise<void> {
  const attempts = new Attempts();
  let { offset } = state;
  let failure: { readonly error: unknown } | undefined;
  while (offset < source.sizeBytes) {
    const watch = new StallWatch(files.url, signal);
    try {
      onProgress?.(offset);
      let sentBytes = offset;
      const body = toStream(source.open(offset), {
        onPiece: (length) => {
          watch.moved();
          sentBytes += length;
          onProgress?.(sentBytes);
        },
        onError: (error) => {
          failure = { error };
        },
      });
      const headers = { 'upload-offset': String(offset), 'content-type': 'application/octet-stream' };
      const request = { method: 'PATCH', headers, body, signal: watch.signal, timeoutMs: withoutLimitMs };
      const answer = await files.request(`uploads/${state.id}`, request);
      offset = uploadStateSchema.parse(await readJson(answer)).offset;
      if (offset < source.sizeBytes)
        throw unexpected(files.url, `has ${offset} bytes of ${source.sizeBytes}`);
    } catch (error) {
      // A source that cannot be read is no broken connection.
      if (failure !== undefined) throw failure.error;
      const before = offset;
      await attempts.after(toRetry(stallOf(watch, error)), signal);
      offset = await standOf(files, state.id, attempts, signal); // I1
      if (offset > before) attempts.reset();
    } finally {
      watch.stop();
    }
  }
  onProgress?.(source.sizeBytes);
}

/** What asking for the offset again makes good: it was another one, or the token of the long request had expired. */
function toRetry(error: unknown): unknown {
  const isKnown = isGantryError(error) && (error.code === 'upload-offset-mismatch' || error.status === 401);
  return isKnown ? brokenOff(error.url ?? '', error.detail) : error;
}

async function standOf(
  files: PluginClient,
  id: string,
  attempts: Attempts,
  signal: AbortSignal | undefined,
): Promise<number> {
  for (;;) {
    try {
      return uploadStateSchema.parse(await files.get(`uploads/${id}`, { signal })).offset;
    } catch (error) {
      await attempts.after(error, signal);
    }
  }
}

async function finish(
  files: PluginClient,
  { id }: UploadState,
  path: string,
  sha256: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const attempts = new Attempts();
  let isRepeated = false;
  for (;;) {
    try {
      const answer = await files.post(`uploads/${id}/finish`, { sha256 }, { signal, timeoutMs: finishMs });
      return String((answer as { path: unknown }).path);
    } catch (error) {
      // An answer that was lost: the file is in its place already.
      if (isRepeated && isGantryError(error, 'upload-not-found')) {
        const sum = await files.get('checksum', { query: { path }, signal, timeoutMs: finishMs });
        const there = fileChecksumSchema.parse(sum);
        if (there.checksum === sha256) return there.path;
      }
      await attempts.after(error, signal);
      isRepeated = true;
    }
  }
}

/** The reason why the watch ended an exchange, rather than that it was ended. */
const stallOf = (watch: StallWatch, error: unknown): unknown =>
  watch.signal.aborted ? watch.signal.reason : error;

async function* piecesOf(
  body: ReadableStream<Uint8Array>,
  url: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw toUnreachableError(error, url);
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

interface Watcher {
  onPiece(length: number): void;
  onError(error: unknown): void;
}

/** I3: a piece is asked for when the one before has left. */
function toStream(
  source: AsyncIterable<Uint8Array>,
  { onError, onPiece }: Watcher,
): ReadableStream<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await pieces.next();
          if (done === true) return controller.close();
          controller.enqueue(value);
          onPiece(value.length);
        } catch (error) {
          onError(error);
          throw error;
        }
      },
      cancel: async () => {
        await pieces.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

const brokenOff = (url: string, detail: string): GantryError =>
  new GantryError({ code: 'unreachable', url, detail: `${url}: ${detail}` });

const unexpected = (url: string, what: string): GantryError =>
  new GantryError({ code: 'unexpected-answer', url, detail: `${url} ${what}` });
