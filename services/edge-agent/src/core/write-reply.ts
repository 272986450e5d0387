/**
 * Writes what a plugin answered, on HTTP/1.1 and HTTP/2 alike.
 *
 * I1. Nothing is sent before there is something to send: a stream that fails at its first piece is still a problem+json.
 * I2. A body that breaks off later breaks the stream off, so that no one takes half a body for a whole one.
 * I3. Whatever happens, the plugin's stream is destroyed or its iterator returned.
 */
import type { EventEmitter } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import { AppError, withDeadline } from '@gantry/kernel';
import type { PluginReply, ServerEvent } from './ports.js';

/** What is needed of `ServerResponse` and `Http2ServerResponse`. */
export interface AgentResponse extends EventEmitter {
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  readonly stream?: ServerHttp2Stream;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  write(piece: Uint8Array | string): boolean;
  end(): unknown;
  end(piece: Uint8Array): unknown;
  destroy?(error?: Error): unknown;
}

export interface WriteOptions {
  readonly isHead: boolean;
  readonly requestId: string;
  /** Longest time that the reader may take nothing, or the plugin give nothing. */
  readonly idleMs: number;
  /** Between the comments that keep a silent event stream alive. */
  readonly heartbeatMs: number;
  /** Aborts when the caller left or the agent stops. */
  readonly signal: AbortSignal;
}

/** Of the connection, not of the message (RFC 9110 section 7.6.1); HTTP/2 forbids them. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** @throws what the plugin's stream throws, or an AppError; the answer is broken off then if it had begun (I2) */
export async function writeReply(
  response: AgentResponse,
  reply: PluginReply,
  options: WriteOptions,
): Promise<void> {
  try {
    if (reply.events !== undefined) await writeEvents(response, reply, reply.events, options);
    else if (reply.stream !== undefined) await writeStream(response, reply, reply.stream, options);
    else writeWhole(response, reply, options);
  } catch (error) {
    if (response.headersSent) cutOff(response);
    throw error;
  } finally {
    // I3
    reply.stream?.destroy();
  }
}

/** Frees what a reply holds that nobody waits for any more. */
export function discardReply(reply: PluginReply): void {
  reply.stream?.destroy();
  reply.socket?.destroy();
  const iterator = reply.events?.[Symbol.asyncIterator]();
  void Promise.resolve(iterator?.return?.()).catch(() => undefined);
}

function writeWhole(response: AgentResponse, reply: PluginReply, { isHead, requestId }: WriteOptions): void {
  const isJson = reply.json !== undefined;
  const bytes = isJson ? Buffer.from(JSON.stringify(reply.json)) : reply.bytes;
  const head = headersOf(reply, requestId);
  if (isJson) head['content-type'] ??= 'application/json';
  if (isJson) head['cache-control'] ??= 'no-store';
  const status = statusOf(reply, bytes === undefined ? 204 : 200);
  // A HEAD handler may know a length without having the bytes.
  if (bytes !== undefined || !isHead) head['content-length'] = bytes?.length ?? 0;
  if (status === 204 || status === 304) delete head['content-length'];
  response.writeHead(status, head);
  if (isHead || bytes === undefined) response.end();
  else response.end(bytes);
}

async function writeStream(
  response: AgentResponse,
  reply: PluginReply,
  stream: Readable,
  options: WriteOptions,
): Promise<void> {
  const head = headersOf(reply, options.requestId);
  head['content-type'] ??= 'application/octet-stream';
  const status = statusOf(reply, 200);
  if (options.isHead) {
    response.writeHead(status, head);
    response.end();
    return;
  }
  const destroy = () => stream.destroy();
  options.signal.addEventListener('abort', destroy, { once: true });
  try {
    const pieces = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    const next = () => withDeadline(pieces.next(), options.idleMs, 'the next piece of the answer');
    // I1
    let piece = await next();
    response.writeHead(status, head);
    for (; piece.done !== true; piece = await next()) {
      if (options.signal.aborted) throw callerLeft();
      if (!response.write(piece.value)) await drained(response, options);
    }
    if (options.signal.aborted) throw callerLeft();
    response.end();
  } finally {
    options.signal.removeEventListener('abort', destroy);
  }
}

async function writeEvents(
  response: AgentResponse,
  reply: PluginReply,
  events: AsyncIterable<ServerEvent>,
  options: WriteOptions,
): Promise<void> {
  const iterator = events[Symbol.asyncIterator]();
  const gone = new Promise<'gone'>((resolve) => {
    if (options.signal.aborted) resolve('gone');
    options.signal.addEventListener('abort', () => resolve('gone'), { once: true });
  });
  let pending: Promise<IteratorResult<ServerEvent>> | undefined;
  try {
    const head = headersOf(reply, options.requestId);
    head['content-type'] = 'text/event-stream';
    head['cache-control'] = 'no-store';
    response.writeHead(statusOf(reply, 200), head);
    // Tells the reader at once that it is connected, also when nothing happens for a while.
    if (!options.isHead && !response.write(': \n\n')) await drained(response, options);
    while (!options.isHead) {
      pending ??= iterator.next();
      const next = await beforeHeartbeat(Promise.race([pending, gone]), options.heartbeatMs);
      if (next === 'gone') break;
      if (next !== 'silent') {
        pending = undefined;
        if (next.done === true) break;
      }
      const text = next === 'silent' ? ': \n\n' : toEventText(next.value);
      if (!response.write(text)) await drained(response, options);
    }
    response.end();
  } finally {
    // A generator that waits inside `next()` runs its `return()` only afterwards: that is not waited for.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
    pending?.catch(() => undefined);
  }
}

async function beforeHeartbeat<T>(work: Promise<T>, heartbeatMs: number): Promise<T | 'silent'> {
  let timer: NodeJS.Timeout | undefined;
  const silent = new Promise<'silent'>((resolve) => {
    timer = setTimeout(() => resolve('silent'), heartbeatMs);
  });
  try {
    return await Promise.race([work, silent]);
  } finally {
    clearTimeout(timer);
  }
}

/** The text form of server-sent events; line breaks cannot get out of a field. */
function toEventText({ id, event, data }: ServerEvent): string {
  const oneLine = (text: string) => text.replaceAll(/[\r\n\0]/g, ' ');
  const lines = [
    ...(id === undefined ? [] : [`id: ${oneLine(id)}`]),
    ...(event === undefined ? [] : [`event: ${oneLine(event)}`]),
    `data: ${JSON.stringify(data)}`,
  ];
  return `${lines.join('\n')}\n\n`;
}

async function drained(response: AgentResponse, { idleMs, signal }: WriteOptions): Promise<void> {
  if (signal.aborted) throw callerLeft();
  let finish: () => void = () => undefined;
  const moved = new Promise<void>((resolve) => {
    finish = resolve;
    response.once('drain', resolve);
    response.once('close', resolve);
    signal.addEventListener('abort', finish, { once: true });
  });
  try {
    await withDeadline(moved, idleMs, 'the reader of the answer');
  } finally {
    response.removeListener('drain', finish);
    response.removeListener('close', finish);
    signal.removeEventListener('abort', finish);
  }
  if (signal.aborted) throw callerLeft();
}

const callerLeft = (): AppError =>
  new AppError('plugin-unavailable', 'The caller left before the answer was out');

/** I2 */
export function cutOff(response: AgentResponse): void {
  if (response.stream !== undefined) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else response.destroy?.();
}

function headersOf({ headers = {} }: PluginReply, requestId: string): OutgoingHttpHeaders {
  const head: OutgoingHttpHeaders = { 'x-content-type-options': 'nosniff', 'x-request-id': requestId };
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase();
    if (!hopByHop.has(key)) head[key] = typeof value === 'string' ? value : [...value];
  }
  return head;
}

function statusOf({ status }: PluginReply, fallback: number): number {
  if (status === undefined) return fallback;
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new Error(`The plugin answered with status ${status}`);
  return status;
}
