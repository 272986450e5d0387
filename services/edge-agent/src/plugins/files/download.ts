import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { PluginCall, PluginReply } from '../../core/ports.js';
import { type ByteRange, demandConditions, hasEtag, parseRange } from './byte-range.js';
import { etagOf } from './file-facts.js';
import type { OpenFile, SafePaths } from './safe-path.js';

/** Large enough to be fast, small enough for many at once. */
const pieceBytes = 256 * 1024;

/**
 * The bytes of a file, or a range of them. What is announced is what the file had when it was opened: one that shrinks
 * meanwhile breaks the answer off.
 */
export async function download(paths: SafePaths, path: string, call: PluginCall): Promise<PluginReply> {
  const file = await paths.openFile(path);
  try {
    const etag = etagOf(file.stats);
    const { headers } = call;
    demandConditions({ ifMatch: headers['if-match'], ifNoneMatch: undefined }, etag);
    const common = {
      etag,
      'last-modified': new Date(Number(file.stats.mtimeMs)).toUTCString(),
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
    };
    const ifNoneMatch = headers['if-none-match'];
    if (ifNoneMatch !== undefined && hasEtag(ifNoneMatch, etag, true)) {
      await file.handle.close();
      return { status: 304, headers: common };
    }
    const size = Number(file.stats.size);
    // A range of another version than the caller has is of no use: the whole then.
    const ifRange = headers['if-range'];
    const isSameVersion = ifRange === undefined || ifRange === etag;
    const range = isSameVersion ? parseRange(headers.range, size) : undefined;
    return await toReply(file, size, range, common, call.method === 'HEAD');
  } catch (error) {
    await file.handle.close();
    throw error;
  }
}

async function toReply(
  file: OpenFile,
  size: number,
  range: ByteRange | undefined,
  common: Readonly<Record<string, string>>,
  isHead: boolean,
): Promise<PluginReply> {
  const lengthBytes = range === undefined ? size : range.end - range.start + 1;
  const headers = {
    ...common,
    'content-type': 'application/octet-stream',
    'content-length': String(lengthBytes),
    // Never shown in the page's own origin: whatever a file says it is.
    'content-disposition': dispositionOf(file.path),
    ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${size}` }),
  };
  const status = range === undefined ? 200 : 206;
  if (isHead || lengthBytes === 0) {
    await file.handle.close();
    return { status, headers, ...(isHead ? {} : { bytes: new Uint8Array() }) };
  }
  const start = range?.start ?? 0;
  const stream = createReadStream('', {
    fd: file.handle,
    autoClose: true,
    highWaterMark: pieceBytes,
    start,
    end: start + lengthBytes - 1,
  });
  return { status, headers, stream: exactly(stream, lengthBytes) };
}

/** Fails when the source ends early: half a file must not look like a whole one. */
function exactly(source: Readable, lengthBytes: number): Readable {
  async function* pieces(): AsyncGenerator<Buffer> {
    let leftBytes = lengthBytes;
    for await (const piece of source as AsyncIterable<Buffer>) {
      leftBytes -= piece.length;
      yield piece;
    }
    if (leftBytes !== 0) throw new Error(`The file became ${leftBytes} bytes shorter while it was sent`);
  }
  const stream = Readable.from(pieces(), { objectMode: false, highWaterMark: pieceBytes });
  // Also when nothing was ever read of it.
  stream.once('close', () => source.destroy());
  return stream;
}

function dispositionOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(name).replaceAll("'", '%27')}`;
}
