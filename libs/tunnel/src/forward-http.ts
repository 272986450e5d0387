/**
 * The bridge's way of a request: node:http in, tunnel, node:http out.
 *
 * I1. Nothing is buffered: each side is read as fast as the other takes it.
 * I2. A caller that leaves cancels the node's work; a node that breaks off makes the caller's answer fail visibly, and
 *     never look complete.
 * I3. Nothing was written to the caller when it rejects, so that the route can answer with a problem.
 */
import { type IncomingMessage, type ServerResponse, validateHeaderValue } from 'node:http';
import type { Readable } from 'node:stream';
import { AppError } from '@gantry/kernel';
import { closeAfterAnswer } from './close-after-answer.js';
import { type RequestHeaderOptions, toRequestHeaders, toTrailers } from './header-rules.js';
import type { TunnelTarget } from './tunnel-group.js';
import type { AnswerHeaders, TunnelAnswer } from './types.js';

export interface ForwardOptions {
  /** What the node is asked for, in origin form; see {@link forwardedPath}. */
  readonly path: string;
  readonly authority?: string;
  /** Which fields of the caller go to the node, and which are set. */
  readonly headers?: RequestHeaderOptions;
  /** The last word on the fields of the answer, for example to add a security policy. */
  readonly toAnswer?: (headers: AnswerHeaders, status: number) => AnswerHeaders;
  readonly timeoutMs?: number;
  readonly idleTimeoutMs?: number;
  /** Default: whether the request announces a body of 256 KiB or more. */
  readonly bulk?: boolean;
}

/** How it ended, after the head of the answer was passed on. */
export interface ForwardOutcome {
  readonly kind: 'complete' | 'broken-off' | 'caller-left';
  readonly status: number;
}

const bulkBytes = 256 * 1024;

/** @throws as {@link Tunnel.request}; the reason of the abort when the caller left before the node answered */
export async function forwardHttp(
  target: TunnelTarget,
  request: IncomingMessage,
  response: ServerResponse,
  options: ForwardOptions,
): Promise<ForwardOutcome> {
  const { path, authority, timeoutMs, idleTimeoutMs } = options;
  const caller = new AbortController();
  const onClose = () => {
    if (!response.writableFinished) caller.abort(new Error('the caller has left'));
  };
  if (response.destroyed) onClose();
  response.once('close', onClose);
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  const answer = await target.request({
    method: request.method ?? 'GET',
    path,
    headers: toRequestHeaders(request.rawHeaders, options.headers),
    signal: caller.signal,
    bulk: options.bulk ?? Number(request.headers['content-length'] ?? 0) >= bulkBytes,
    ...(authority === undefined ? {} : { authority }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    ...(hasBody ? { body: request } : {}),
    ...(hasBody && request.headers.trailer !== undefined
      ? { trailers: () => toTrailers(request.rawTrailers) }
      : {}),
  });
  passHead(answer, request, response, options);
  return await passBody(answer, response);
}

/** @throws node-failed for fields that HTTP/1.1 cannot carry */
function passHead(
  { status, headers, body }: TunnelAnswer,
  request: IncomingMessage,
  response: ServerResponse,
  { toAnswer }: ForwardOptions,
): void {
  let fields = headers;
  try {
    fields = toAnswer?.(headers, status) ?? headers;
    // Before it is begun: a head that fails half-way leaves a response that cannot be used for a problem either.
    for (const pair of Object.entries(fields).flatMap(toPairs)) validateHeaderValue(...pair);
  } catch (error) {
    body.destroy();
    throw new AppError('node-failed', 'The node gave an answer that HTTP/1.1 cannot carry', { cause: error });
  }
  // The rest of the body may not be wanted; the connection cannot be used for another request.
  closeAfterAnswer(request, response);
  response.writeHead(status, fields);
  writeTogether(response);
  // An event stream's head must not wait for its first event.
  response.flushHeaders();
}

function passBody(
  { body, status, trailers }: TunnelAnswer,
  response: ServerResponse,
): Promise<ForwardOutcome> {
  return new Promise((resolve) => {
    const onBroken = () => {
      const isCallerGone = response.destroyed;
      response.destroy(); // I2
      resolve({ kind: isCallerGone ? 'caller-left' : 'broken-off', status });
    };
    const onEnd = async () => {
      const fields = await trailers;
      if (Object.keys(fields).length > 0) response.addTrailers(Object.entries(fields).flatMap(toPairs));
      response.end();
    };
    if (body.destroyed) onBroken();
    body.once('error', onBroken);
    body.once('end', () => void onEnd().catch(onBroken));
    response.once('finish', () => resolve({ kind: 'complete', status }));
    response.once('close', () => {
      resolve({ kind: 'caller-left', status });
      body.destroy(); // I2
    });
    passBytes(body, response);
  });
}

/** Like `pipe`, but what comes together leaves together. */
function passBytes(body: Readable, response: ServerResponse): void {
  body.on('data', (chunk: Buffer) => {
    writeTogether(response);
    if (!response.write(chunk)) body.pause();
  });
  response.on('drain', () => body.resume());
}

/** Collects what is written in this turn of the event loop: a message of the tunnel holds a head and several frames. */
function writeTogether(response: ServerResponse): void {
  if (response.writableCorked > 0) return;
  response.cork();
  setImmediate(() => response.uncork());
}

const toPairs = ([name, value]: [string, string | string[]]): [string, string][] =>
  (typeof value === 'string' ? [value] : value).map((item) => [name, item]);
