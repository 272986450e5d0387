import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from '@jest/globals';
import { GantryClient } from './gantry-client.js';

const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const pieceBytes = 64 * 1024;

/** A node's files plugin as far as transfers need it, whose connections break where the test says. */
class FlakyNode {
  readonly uploads = new Map<string, { path: string; size: number; bytes: Buffer }>();
  readonly files = new Map<string, Buffer>();
  /** What was asked, as "METHOD path". */
  readonly calls: string[] = [];
  /** Connections that still break, after this many bytes of a body. */
  breaks = 0;
  breakAfterBytes = 300 * 1024;
  /** Answers of `finish` that get lost after the work was done. */
  lostFinishes = 0;
  etag = '"v1"';
  readonly server = createServer((request, response) => void this.#answer(request, response));

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://node');
    const [, , , , , what = '', id = '', step = ''] = url.pathname.split('/');
    this.calls.push(`${request.method} ${url.pathname.replace(/^\/v1\/nodes\/n1\/files\//, '')}`);
    const json = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const problem = (status: number, code: string) =>
      json(status, { type: '', title: '', status, detail: code, code, request_id: 'r' });
    if (what === 'content') return this.#send(request, response, problem);
    if (what === 'checksum') {
      const bytes = this.files.get(url.searchParams.get('path') ?? '');
      const { etag } = this;
      const path = '/there';
      if (bytes === undefined) return void problem(404, 'file-not-found');
      return void json(200, { path, size: bytes.length, algorithm: 'sha256', checksum: sum(bytes), etag });
    }
    if (what === 'uploads' && id === '') {
      const { path, size } = JSON.parse(await textOf(request)) as { path: string; size: number };
      const made = randomUUID();
      this.uploads.set(made, { path, size, bytes: Buffer.alloc(0) });
      return void json(201, this.#stateOf(made));
    }
    const upload = this.uploads.get(id);
    if (upload === undefined) return void problem(404, 'upload-not-found');
    if (request.method === 'PATCH') {
      if (Number(request.headers['upload-offset']) !== upload.bytes.length)
        return void problem(409, 'upload-offset-mismatch');
      let taken = 0;
      for await (const piece of request as AsyncIterable<Buffer>) {
        upload.bytes = Buffer.concat([upload.bytes, piece]);
        taken += piece.length;
        if (this.breaks > 0 && taken >= this.breakAfterBytes) {
          this.breaks -= 1;
          request.socket.resetAndDestroy();
          return;
        }
      }
      return void json(200, this.#stateOf(id));
    }
    if (request.method === 'DELETE') {
      this.uploads.delete(id);
      return void json(204, undefined);
    }
    if (step === 'finish') {
      const { sha256 } = JSON.parse(await textOf(request)) as { sha256: string };
      this.uploads.delete(id);
      if (sha256 !== sum(upload.bytes)) return void problem(422, 'checksum-mismatch');
      this.files.set(upload.path, upload.bytes);
      if (this.lostFinishes > 0) {
        this.lostFinishes -= 1;
        request.socket.resetAndDestroy();
        return;
      }
      return void json(200, { path: '/there' });
    }
    json(200, this.#stateOf(id));
  }

  #stateOf(id: string) {
    const { path, size, bytes } = this.uploads.get(id) ?? { path: '', size: 0, bytes: Buffer.alloc(0) };
    return { id, path, size, offset: bytes.length, expires_at: '2030-01-01T00:00:00Z' };
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    problem: (status: number, code: string) => unknown,
  ): Promise<void> {
    const bytes = this.files.get('a') ?? Buffer.alloc(0);
    if (request.headers['if-match'] !== this.etag) return void problem(412, 'precondition-failed');
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]);
    response.writeHead(206, { 'content-length': bytes.length - start, etag: this.etag });
    for (let at = start; at < bytes.length; at += pieceBytes) {
      if (this.breaks > 0 && at - start >= this.breakAfterBytes) {
        this.breaks -= 1;
        request.socket.resetAndDestroy();
        return;
      }
      if (!response.write(bytes.subarray(at, at + pieceBytes)))
        await new Promise((resolve) => response.once('drain', resolve));
    }
    response.end();
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await request.toArray()).toString();
}

const nodes: FlakyNode[] = [];
afterEach(() => {
  for (const { server } of nodes.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});
async function start() {
  const node = new FlakyNode();
  nodes.push(node);
  const url = await node.start();
  const client = new GantryClient({ cloudUrl: url, credentials: { token: 't' } });
  return { node, files: client.bridge(url).node('n1').plugin('files') };
}

function sourceOf(bytes: Buffer, said = bytes) {
  const opened: number[] = [];
  async function* pieces(offset: number) {
    for (let at = offset; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  const open = (offset: number) => {
    opened.push(offset);
    return pieces(offset);
  };
  return { opened, source: { sizeBytes: bytes.length, open, sha256: async () => sum(said) } };
}

const large = randomBytes(1024 * 1024 + 17);

describe('an upload', () => {
  it('goes on where the node stands when its connection breaks, twice', async () => {
    const { node, files } = await start();
    node.breaks = 2;
    const { opened, source } = sourceOf(large);
    const seen: number[] = [];
    expect(await files.upload('a', source, { onProgress: (sent) => seen.push(sent) })).toBe('/there');
    expect(node.files.get('a')?.equals(large)).toBe(true);
    // Not from the beginning, and each time further.
    expect(opened).toHaveLength(3);
    expect(opened[0]).toBe(0);
    expect(opened[1]).toBeGreaterThanOrEqual(node.breakAfterBytes);
    expect(opened[2]).toBeGreaterThanOrEqual(2 * node.breakAfterBytes);
    expect(seen.at(-1)).toBe(large.length);
  });

  it('goes on with an unfinished one that is handed in', async () => {
    const { node, files } = await start();
    const id = randomUUID();
    node.uploads.set(id, { path: 'a', size: large.length, bytes: large.subarray(0, 500_000) });
    const state = { id, path: 'a', size: large.length, offset: 500_000, expires_at: '' };
    const { opened, source } = sourceOf(large);
    await files.upload('a', source, { resume: state });
    expect(opened).toEqual([500_000]);
    expect(node.files.get('a')?.equals(large)).toBe(true);
  });

  it('is not taken for failed when only the answer to its end was lost', async () => {
    const { node, files } = await start();
    node.lostFinishes = 1;
    expect(await files.upload('a', sourceOf(large).source, {})).toBe('/there');
  });

  it('holds a few pieces at a time, not what it has sent', async () => {
    const { files } = await start();
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const count = 64;
    const sent: WeakRef<Buffer>[] = [];
    let alive = count;
    async function* pieces() {
      for (let index = 0; index < count; index += 1) {
        if (index === count - 1) {
          // Several turns: what was read lately is still on its way.
          for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 5));
          collectGarbage();
          alive = sent.filter((ref) => ref.deref() !== undefined).length;
        }
        const piece = Buffer.alloc(pieceBytes, index);
        sent.push(new WeakRef(piece));
        yield piece;
      }
    }
    const hash = createHash('sha256');
    for (let index = 0; index < count; index += 1) hash.update(Buffer.alloc(pieceBytes, index));
    const sizeBytes = count * pieceBytes;
    await files.upload('a', { sizeBytes, open: pieces, sha256: async () => hash.digest('hex') }, {});
    expect(alive).toBeLessThan(count / 2);
  });

  it('of an empty file has no body to send', async () => {
    const { node, files } = await start();
    await files.upload('a', sourceOf(Buffer.alloc(0)).source, {});
    expect(node.files.get('a')).toHaveLength(0);
    expect(node.calls).toEqual(['POST uploads', expect.stringMatching(/^POST uploads\/.*\/finish$/)]);
  });

  it('that arrived otherwise than it left fails, and leaves nothing', async () => {
    const { node, files } = await start();
    const { source } = sourceOf(large, randomBytes(8));
    await expect(files.upload('a', source, {})).rejects.toMatchObject({ code: 'checksum-mismatch' });
    expect([node.files.size, node.uploads.size]).toEqual([0, 0]);
  });

  it('of what cannot be read fails with the reason, and is not tried again', async () => {
    const { node, files } = await start();
    const { source } = sourceOf(large);
    let opened = 0;
    const open = () => {
      opened += 1;
      return (async function* () {
        yield large.subarray(0, pieceBytes);
        throw new Error('the disk is gone');
      })();
    };
    await expect(files.upload('a', { ...source, open }, {})).rejects.toThrow('the disk is gone');
    expect(opened).toBe(1);
    expect(node.files.size).toBe(0);
  });

  it('ends with the reason of its signal, and can be gone on with', async () => {
    const { node, files } = await start();
    const abort = new AbortController();
    const { source } = sourceOf(large);
    const stop = new Error('enough');
    const onProgress = (sent: number) => sent > 100_000 && abort.abort(stop);
    await expect(files.upload('a', source, { onProgress, signal: abort.signal })).rejects.toBe(stop);
    expect(node.uploads.size).toBe(1);
  });
});

describe('a download', () => {
  it('goes on behind the last byte when its connection breaks', async () => {
    const { node, files } = await start();
    node.files.set('a', large);
    node.breaks = 2;
    const pieces: Uint8Array[] = [];
    for await (const piece of files.read('a', { etag: '"v1"', sizeBytes: large.length }, { offset: 7 }))
      pieces.push(piece);
    expect(Buffer.concat(pieces).equals(large.subarray(7))).toBe(true);
    expect(node.calls).toHaveLength(3);
  });

  it('never mixes two versions of a file', async () => {
    const { node, files } = await start();
    node.files.set('a', large);
    node.breaks = 1;
    const read = async () => {
      for await (const _ of files.read('a', { etag: '"v1"', sizeBytes: large.length })) node.etag = '"v2"';
    };
    await expect(read()).rejects.toMatchObject({ code: 'precondition-failed', status: 412 });
  });
});
