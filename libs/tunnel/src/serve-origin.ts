/**
 * The agent's way of a request to a local port: http2 stream in, node:http to the origin, and the WebSocket half of it.
 * The same rules as at the bridge: nothing buffered, aborts both ways, no hop-by-hop fields.
 */
import { randomBytes } from 'node:crypto';
import { type Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { type Duplex, pipeline } from 'node:stream';
import { type RequestHeaderOptions, toAnswerHeaders, toRequestHeaders, toTrailers } from './header-rules.js';
import { splice } from './splice.js';

export interface Origin {
  readonly host: string;
  readonly port: number;
  /** Sent as `Host`. Default: `host:port`. */
  readonly authority?: string;
  /** Kept-alive connections; without one each request opens its own. */
  readonly agent?: Agent;
  readonly headers?: RequestHeaderOptions;
  /** To the head of the origin's answer. Default: 60,000. */
  readonly timeoutMs?: number;
  /** Instead of the path of the request. */
  readonly path?: string;
  /** Instead of a connection to `host` and `port`. */
  readonly createConnection?: () => Duplex;
}

const defaultTimeoutMs = 60_000;

/** Passes a request to a local HTTP server. Answers 502 when it does not answer, 504 when not in time. */
export function serveOrigin(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  origin: Origin,
): void {
  const options = optionsOf(request, origin);
  // Without it node:http would send no body at all with some methods.
  const isChunked = !request.stream.endAfterHeaders && request.headers['content-length'] === undefined;
  const outgoing = httpRequest({
    ...options,
    method: request.method,
    headers: { ...options.headers, ...(isChunked ? { 'transfer-encoding': 'chunked' } : {}) },
  });
  const { stream } = request;
  stopLate(outgoing, origin, () => refuse(response, 504, 'The application did not answer in time'));
  stream.once('close', () => outgoing.destroy());
  outgoing.on('error', (error: NodeJS.ErrnoException) =>
    refuse(response, 502, `The application does not answer: ${error.code ?? error.message}`),
  );
  outgoing.once('response', (answer) => {
    const status = answer.statusCode ?? 502;
    response.writeHead(status, toAnswerHeaders(answer.rawHeaders, status));
    answer.once('error', () => stream.destroy(new Error('the application broke off')));
    answer.once('end', () => {
      response.addTrailers(toTrailers(answer.rawTrailers));
      response.end();
    });
    answer.pipe(response, { end: false });
  });
  request.once('end', () => {
    if (isChunked) outgoing.addTrailers(toTrailers(request.rawTrailers));
  });
  pipeline(request, outgoing, () => undefined);
}

/**
 * Passes an extended CONNECT to a local WebSocket server. What that answers instead of 101 is passed on.
 */
export function serveOriginUpgrade(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  origin: Origin,
): void {
  const { stream } = request;
  const options = optionsOf(request, origin);
  const outgoing = httpRequest({
    ...options,
    headers: {
      ...options.headers,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
    },
  });
  stopLate(outgoing, origin, () => refuse(response, 504, 'The application did not answer in time'));
  const onGone = () => outgoing.destroy();
  stream.once('close', onGone);
  outgoing.on('error', (error: NodeJS.ErrnoException) =>
    refuse(response, 502, `The application does not answer: ${error.code ?? error.message}`),
  );
  outgoing.once('upgrade', (answer: IncomingMessage, socket: Duplex, head: Buffer) => {
    stream.removeListener('close', onGone);
    const { 'sec-websocket-accept': _accept, ...fields } = toAnswerHeaders(answer.rawHeaders);
    stream.respond({ ...fields, ':status': 200 });
    if (head.length > 0) stream.write(head);
    splice(stream, socket);
  });
  outgoing.once('response', (answer) => {
    const status = answer.statusCode ?? 502;
    response.writeHead(status, toAnswerHeaders(answer.rawHeaders, status));
    pipeline(answer, response, () => undefined);
  });
  outgoing.end();
}

function optionsOf(request: Http2ServerRequest, origin: Origin): RequestOptions & { headers: object } {
  const raw = request.rawHeaders;
  const { host, port, agent, createConnection, path } = origin;
  return {
    host,
    port,
    ...(createConnection === undefined ? {} : { createConnection }),
    ...(agent === undefined ? {} : { agent }),
    path: path ?? request.url,
    headers: { ...toRequestHeaders(raw, origin.headers), host: origin.authority ?? `${host}:${port}` },
    setHost: false,
  };
}

function stopLate(outgoing: ReturnType<typeof httpRequest>, { timeoutMs }: Origin, onLate: () => void): void {
  const timer = setTimeout(() => {
    onLate();
    outgoing.destroy();
  }, timeoutMs ?? defaultTimeoutMs);
  for (const event of ['response', 'upgrade', 'close'] as const)
    outgoing.once(event, () => clearTimeout(timer));
}

/** Says so, or breaks off what has begun. */
function refuse(response: Http2ServerResponse, status: number, detail: string): void {
  const { stream } = response;
  if (stream.destroyed || response.writableEnded) return;
  if (stream.headersSent) {
    stream.destroy(new Error(detail));
    return;
  }
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(detail);
}
