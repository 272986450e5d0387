/**
 * One request on one http2 stream: body out, head of the answer in, everything that can go wrong in between.
 *
 * I1. It settles once: with the head, or with an AppError, or with the reason of the caller's own signal.
 * I2. Whatever ends it before the answer is complete resets the stream, so that the node stops working on it.
 */
import { IncomingMessage } from 'node:http';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import { AppError, type DeadlineWheel } from '@gantry/kernel';
import { AnswerBody } from './answer-body.js';
import { toAnswerHeaders, toHttp2Fields, toTrailers } from './header-rules.js';
import type { TunnelLimits } from './limits.js';
import { toNodeError } from './node-error.js';
import { checkPath } from './path-rules.js';
import { cancelStream, onHead } from './stream-events.js';
import type { AnswerHeaders, TunnelAnswer, TunnelRequest } from './types.js';

export interface Line {
  readonly name: string;
  readonly session: ClientHttp2Session;
  readonly limits: TunnelLimits;
  /** One timer for all its requests: one each would cost more than the request. */
  readonly wheel: DeadlineWheel;
  readonly track: (stream: ClientHttp2Stream) => void;
}

const defaultTimeoutMs = 60_000;

/** @throws AppError as documented on {@link Tunnel.request} */
export function sendRequest(line: Line, request: TunnelRequest): Promise<TunnelAnswer> {
  const { body, trailers } = request;
  const pseudo = {
    ':method': request.method,
    ':path': checkPath(request.path),
    ':authority': request.authority ?? 'node',
    ':scheme': 'http',
  };
  const stream = openStream(line, pseudo, request.headers, {
    endStream: body === undefined && trailers === undefined,
    waitForTrailers: trailers !== undefined,
  });
  if (trailers !== undefined)
    stream.once('wantTrailers', () => stream.sendTrailers(toHttp2Fields(trailers() ?? {}, line.limits)));
  const head = awaitHead(line, stream, request);
  sendBody(stream, body, trailers !== undefined);
  return head.then(({ status, headers, answer }) => ({ status, headers, ...answer }));
}

export interface Head {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly answer: Pick<TunnelAnswer, 'body' | 'trailers'>;
}

type Patience = Pick<TunnelRequest, 'signal' | 'timeoutMs' | 'idleTimeoutMs' | 'method'> & {
  /** Whether an answer of this status takes the stream as it is, and not a body: an accepted CONNECT. */
  readonly isTakeover?: (status: number) => boolean;
};

/** Opens the stream. @throws header-too-large, malformed-request, node-unreachable */
export function openStream(
  { name, session, limits, track }: Line,
  pseudo: Readonly<Record<string, string>>,
  headers: TunnelRequest['headers'],
  options: { readonly endStream: boolean; readonly waitForTrailers: boolean },
): ClientHttp2Stream {
  const reservedBytes = Object.values(pseudo).reduce((sum, value) => sum + value.length + 48, 0);
  const fields = toHttp2Fields(headers ?? {}, limits, reservedBytes);
  try {
    const stream = session.request({ ...fields, ...pseudo }, options);
    track(stream);
    return stream;
  } catch (error) {
    throw new AppError('node-unreachable', `${name} is just disconnecting`, { cause: error });
  }
}

/** Waits for the head of the answer. The stream is the caller's when it resolves, and reset when it rejects. */
export function awaitHead(line: Line, stream: ClientHttp2Stream, patience: Patience): Promise<Head> {
  const { name, session, limits, wheel } = line;
  const { signal, timeoutMs = defaultTimeoutMs, idleTimeoutMs = limits.streamIdleTimeoutMs } = patience;
  return new Promise((resolve, reject) => {
    let failure: unknown;
    let isAnswered = false;
    let body: Readable | undefined;
    // I2
    const fail = (error: unknown) => {
      if (body === undefined) {
        reject(error);
        cancelStream(stream);
      } else body.destroy(error as Error);
    };
    const onAbort = () => fail(signal?.reason);
    const stopClock = wheel.schedule(timeoutMs, () =>
      fail(new AppError('node-timeout', `${name} did not begin to answer within ${timeoutMs} ms`)),
    );
    stream.on('error', (error) => {
      failure ??= error;
    });
    stream.on('close', () => {
      stopClock();
      signal?.removeEventListener('abort', onAbort);
      // An error takes a stack trace, which is dear where nobody would see it.
      if (!isAnswered)
        reject(toNodeError({ name, session, rstCode: stream.rstCode, isAnswered, cause: failure }));
    });
    if (idleTimeoutMs > 0)
      stream.setTimeout(idleTimeoutMs, () =>
        fail(
          new AppError(
            'node-timeout',
            `Nothing moved between ${name} and its caller for ${idleTimeoutMs} ms`,
          ),
        ),
      );
    onHead(stream, 'response', ({ ':status': status = 0 }, raw) => {
      stopClock();
      if (status < 200 || status > 599) {
        fail(new AppError('node-failed', `${name} answered with the status ${status}`));
        return;
      }
      isAnswered = true;
      const headers = toAnswerHeaders(raw, status);
      if (patience.isTakeover?.(status) !== true) {
        const answer = takeAnswer(line, stream, expectedBytes(patience.method, status, headers));
        body = answer.body;
        resolve({ status, headers, answer });
      } else resolve({ status, headers, answer: { body: stream, trailers: Promise.resolve({}) } });
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort);
  });
}

function takeAnswer(
  { name, session }: Line,
  stream: ClientHttp2Stream,
  bytes: number | undefined,
): { body: Readable; trailers: Promise<AnswerHeaders> } {
  let onDone: () => void = () => undefined;
  let fields: AnswerHeaders = {};
  onHead(stream, 'trailers', (_headers, raw) => {
    fields = toTrailers(raw);
  });
  const trailers = new Promise<AnswerHeaders>((resolve) => {
    onDone = () => resolve(fields);
  });
  const body = new AnswerBody(stream, { name, session, expectedBytes: bytes, onDone: () => onDone() });
  // A caller that only wanted the status must not bring the process down when the rest breaks off.
  body.on('error', () => undefined);
  return { body, trailers };
}

function expectedBytes(method: string, status: number, headers: AnswerHeaders): number | undefined {
  if (method === 'HEAD' || status === 304) return undefined;
  const length = headers['content-length'];
  return typeof length === 'string' ? Number(length) : undefined;
}

/**
 * Sends the body as fast as the node takes it. When the node is done before the body is, the rest is not sent: a
 * request of node:http is drained (its socket carries the answer), any other stream is destroyed.
 */
function sendBody(stream: ClientHttp2Stream, body: TunnelRequest['body'], hasTrailers: boolean): void {
  if (body === undefined) {
    if (hasTrailers) stream.end();
    return;
  }
  if (typeof body === 'string' || body instanceof Uint8Array) {
    stream.end(body);
    return;
  }
  const onBroken = () => {
    if (!body.readableEnded && !stream.destroyed)
      stream.destroy(new AppError('malformed-request', 'The body of the request broke off'));
  };
  if (body.destroyed) {
    onBroken();
    return;
  }
  body.once('error', onBroken);
  body.once('close', onBroken);
  stream.once('close', () => {
    body.unpipe(stream);
    if (body instanceof IncomingMessage) body.resume();
    else if (!body.readableEnded) body.destroy();
  });
  body.pipe(stream);
}
