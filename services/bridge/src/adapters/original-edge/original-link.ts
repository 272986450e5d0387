/**
 * The WebSocket of an original edge as a link to a node.
 * Stages: open → closing (no requests any more) → ended.
 *
 * I1. An answer is taken for a request of this socket only: ids are random and looked up here, nowhere else.
 * I2. When the socket ends, every open request ends at once.
 * I3. Nothing is sent that the edge would close its socket for: bodies and frames are measured before.
 * I4. Bounded: requests, bytes that wait to be sent, sizes of frames. A silent edge is found within 25 seconds.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { callerHeader } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import {
  type TunnelAnswer,
  type TunnelConnection,
  type TunnelRequest,
  toAnswerHeaders,
} from '@gantry/tunnel';
import type { RawData, WebSocket } from 'ws';
import type { NodeLink } from '../../ports.js';
import { bodyOf, type EdgeFrame, encodeRequest, parseFrame, type ResponseFrame } from './original-frames.js';

/** The edge's own limit of a message; a larger one ends its socket and every request on it. */
const maxFrameBytes = 10 * 1024 * 1024 - 4096;
/** What an edge says by itself; only answers may be larger. */
const maxOwnFrameBytes = 300 * 1024;
const maxRequests = 256;
const maxWaitingBytes = 32 * 1024 * 1024;
const heartbeatMs = 10_000;
const silenceMs = 25_000;
const defaultTimeoutMs = 60_000;
const closeMs = 2000;

interface Pending {
  readonly resolve: (answer: TunnelAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export class OriginalLink implements NodeLink {
  readonly kind = 'original' as const;
  readonly name: string;
  readonly #socket: WebSocket;
  readonly #pending = new Map<string, Pending>();
  readonly #timer: NodeJS.Timeout;
  #end: string | undefined;
  #heardMs = performance.now();
  #pingedMs = 0;
  latencyMs: number | undefined;

  /** @param onFrame everything but answers; @param onEnd once */
  constructor(
    name: string,
    socket: WebSocket,
    on: { readonly frame: (frame: EdgeFrame) => void; readonly end: (reason: string) => void },
  ) {
    this.name = name;
    this.#socket = socket;
    socket.on('message', (data, isBinary) => {
      this.#heardMs = performance.now();
      const frame = parseFrame(toBuffer(data), isBinary);
      if (frame?.type === 'response') this.#answer(frame);
      else if (frame !== undefined && sizeOf(data) <= maxOwnFrameBytes) on.frame(frame); // I4
    });
    socket.on('pong', () => {
      this.#heardMs = performance.now();
      this.latencyMs = this.#heardMs - this.#pingedMs;
    });
    socket.once('close', (code) => {
      this.#stop(`the edge closed the connection (${code})`);
      on.end(this.#end ?? '');
    });
    this.#timer = setInterval(() => this.#beat(), heartbeatMs);
    this.#ping();
  }

  get isOpen(): boolean {
    return this.#end === undefined && this.#socket.readyState === this.#socket.OPEN;
  }
  get connections(): number {
    return this.isOpen ? 1 : 0;
  }

  /** Whether anything comes from the other side within `timeoutMs`. */
  async isAlive(timeoutMs: number): Promise<boolean> {
    if (!this.isOpen) return false;
    return await new Promise((resolve) => {
      const done = (isAlive: boolean) => {
        clearTimeout(timer);
        this.#socket.off('message', heard);
        this.#socket.off('pong', heard);
        resolve(isAlive);
      };
      const heard = () => done(true);
      const timer = setTimeout(() => done(false), timeoutMs);
      this.#socket.on('message', heard);
      this.#socket.on('pong', heard);
      this.#ping();
    });
  }

  async request(request: TunnelRequest): Promise<TunnelAnswer> {
    this.#admit();
    const body = await readWhole(request.body);
    request.signal?.throwIfAborted();
    this.#admit();
    const reqId = randomUUID(); // I1
    const { method, path } = request;
    const frame = encodeRequest({ reqId, method, path, headers: toFlatHeaders(request.headers), body });
    if (Buffer.byteLength(frame) > maxFrameBytes) throw tooLarge(); // I3
    return await new Promise<TunnelAnswer>((resolve, reject) => {
      const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
      const fail = (error: unknown) => this.#pending.get(reqId)?.reject(error);
      const late = () =>
        fail(new AppError('node-timeout', `${this.name} did not answer within ${timeoutMs} ms`));
      const timer = setTimeout(late, Math.min(timeoutMs, 2 ** 31 - 1));
      const onAbort = () => fail(request.signal?.reason);
      const settle = () => {
        this.#pending.delete(reqId);
        clearTimeout(timer);
        request.signal?.removeEventListener('abort', onAbort);
      };
      this.#pending.set(reqId, {
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error as Error);
        },
      });
      request.signal?.addEventListener('abort', onAbort, { once: true });
      this.#socket.send(frame);
    });
  }

  async connect(): Promise<TunnelConnection> {
    throw new AppError('node-failed', `${this.name} is an original edge, which does not pass WebSockets`);
  }

  send(frame: object): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** An original edge that is told to shut down ends its process; otherwise it comes again. */
  close(reason: string, isForGood = false): void {
    if (isForGood) this.send({ type: 'shutdown', reason });
    this.#stop(reason);
    this.#socket.close(isForGood ? 1000 : 1001, reason.slice(0, 100));
    setTimeout(() => this.#socket.terminate(), closeMs).unref();
  }

  async drain({ graceMs }: { readonly graceMs: number }): Promise<void> {
    const endMs = performance.now() + graceMs;
    while (this.#pending.size > 0 && performance.now() < endMs)
      await new Promise((wake) => setTimeout(wake, 20));
    this.close('the bridge is stopping');
    this.#socket.terminate();
  }

  #admit(): void {
    if (!this.isOpen)
      throw new AppError('node-unreachable', `${this.name} is disconnected: ${this.#end ?? 'closing'}`);
    if (this.#pending.size >= maxRequests || this.#socket.bufferedAmount > maxWaitingBytes)
      throw new AppError(
        'node-busy',
        `${this.name} has ${this.#pending.size} requests open, as many as it may`,
      );
  }

  /** I1 */
  #answer(frame: ResponseFrame): void {
    const pending = this.#pending.get(frame.req_id);
    if (pending === undefined) return;
    const { bytes, isJson } = bodyOf(frame);
    const raw = Object.entries(frame.headers ?? {}).flatMap(([name, value]) => [name, String(value)]);
    let headers: TunnelAnswer['headers'];
    try {
      headers = toAnswerHeaders(raw.map(toFieldText), frame.status);
    } catch (cause) {
      pending.reject(
        new AppError('node-failed', `${this.name} answered headers that cannot be passed on`, { cause }),
      );
      return;
    }
    // What the edge says of the length, and of how it is cut, is about its frame.
    delete headers['content-length'];
    if (isJson) headers['content-type'] ??= 'application/json';
    if (frame.status !== 204 && frame.status !== 304) headers['content-length'] = String(bytes.length);
    pending.resolve({
      status: frame.status,
      headers,
      body: Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false }),
      trailers: Promise.resolve({}),
    });
  }

  /** I2 */
  #stop(reason: string): void {
    this.#end ??= reason;
    clearInterval(this.#timer);
    const error = new AppError(
      'node-lost',
      `The connection to ${this.name} ended while it worked on the request: ${reason}`,
    );
    for (const pending of [...this.#pending.values()]) pending.reject(error);
  }

  /** I4 */
  #beat(): void {
    if (performance.now() - this.#heardMs > silenceMs) {
      this.#stop('the edge fell silent');
      this.#socket.terminate();
    } else this.#ping();
  }

  #ping(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#pingedMs = performance.now();
    this.send({ type: 'ping' });
    this.#socket.ping();
  }
}

const tooLarge = () =>
  new AppError(
    'body-too-large',
    `An original edge takes requests of ${maxFrameBytes} bytes at most, headers included`,
  );

/** A field name or value without the characters that would end it. */
const toFieldText = (text: string): string => {
  if (/[\r\n\0]|[^\t\x20-\xff]/.test(text)) throw new Error('a header has characters that no field may have');
  return text;
};

async function readWhole(body: TunnelRequest['body']): Promise<Buffer | undefined> {
  if (body === undefined) return undefined;
  if (!(body instanceof Readable)) {
    const bytes = Buffer.from(body as Uint8Array);
    if (bytes.length > maxFrameBytes) throw tooLarge();
    return bytes;
  }
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // Read by hand: leaving a loop over a request would destroy it, and with it the way of the answer.
  return await new Promise((resolve, reject) => {
    const settle = (work: () => void) => {
      body.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      work();
    };
    const onData = (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= maxFrameBytes) chunks.push(chunk);
      else
        settle(() => {
          body.pause();
          reject(tooLarge());
        });
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)));
    const onError = (cause: unknown) =>
      settle(() => reject(new AppError('malformed-request', 'The body broke off', { cause })));
    const onClose = () => onError(undefined);
    body.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

const toFlatHeaders = (headers: TunnelRequest['headers']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers ?? {}).flatMap(([name, value]) =>
      value === undefined || name === callerHeader
        ? []
        : [[name, typeof value === 'string' ? value : value.join(', ')] as const],
    ),
  );

const sizeOf = (data: RawData): number =>
  Array.isArray(data) ? data.reduce((sum, { length }) => sum + length, 0) : data.byteLength;

const toBuffer = (data: RawData): Buffer =>
  Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data);
