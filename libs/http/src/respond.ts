import type { IncomingMessage, ServerResponse } from 'node:http';
import { isAppError, newIdSequence } from '@gantry/kernel';
import type { AppOptions } from './app-options.js';
import { authenticate } from './authenticate.js';
import { discardBody, readBody } from './body.js';
import { parseInput } from './parse-input.js';
import { toProblemReply } from './problem-reply.js';
import type { Reply, Route, RouteRequest } from './route.js';
import { send } from './send.js';

/** What a router found out about a request. */
interface RoutedParts {
  /** Without the query. */
  readonly path: string;
  readonly params: unknown;
  readonly query: unknown;
}

/** Reads, checks and answers a request of one route; never rejects. */
export type Responder = (
  request: IncomingMessage,
  response: ServerResponse,
  parts: RoutedParts,
) => Promise<void>;

const defaultBodyLimitBytes = 64 * 1024;
const newRequestId = newIdSequence();
const requestIdPattern = /^[A-Za-z0-9._-]{1,64}$/;

/** What answers the requests of a route, whichever router they come through. */
export function buildResponder(one: Route, options: AppOptions): Responder {
  const { contract } = one;
  const duration = options.metrics.histogram(
    'http_request_duration_seconds',
    'Time from the first byte of a request to its answer',
    ['method', 'route', 'status'],
  );
  return async (request, response, parts) => {
    const startMs = performance.now();
    const requestId = requestIdOf(request);
    let reply: Reply;
    try {
      reply = await answer(one, request, response, { parts, requestId, options });
    } catch (error) {
      reply = toProblemReply(error, { requestId, instance: parts.path });
      if (!isAppError(error))
        options.logger.error('request failed', { requestId, route: contract.path, error });
    }
    send(response, reply, requestId);
    const seconds = (performance.now() - startMs) / 1000;
    duration.observe({ method: contract.method, route: contract.path, status: reply.status }, seconds);
    options.logger.debug('request', {
      op: 'http.request',
      requestId,
      route: contract.path,
      status: reply.status,
    });
  };
}

async function answer(
  { contract, handle, options: { admit, bodyAs } }: Route,
  request: IncomingMessage,
  response: ServerResponse,
  context: { readonly parts: RoutedParts; readonly requestId: string; readonly options: AppOptions },
): Promise<Reply> {
  const { parts, requestId, options } = context;
  const limitBytes = contract.bodyLimitBytes ?? defaultBodyLimitBytes;
  const caller = await beforeBody(request, () =>
    authenticate(contract.auth, request, options.authenticators),
  );
  const release =
    admit === undefined
      ? undefined
      : await beforeBody(request, () =>
          admit({ caller: caller as never, bodySizeBytes: bodySizeOf(request, limitBytes) }),
        );
  try {
    const bytes = await readBody(request, limitBytes);
    const input = parseInput(contract, { params: parts.params, query: parts.query, bytes }, bodyAs);
    return await handle(new ParsedRequest(input, bytes, caller, requestId, request, response));
  } finally {
    release?.();
  }
}

/** Who calls and whether there is room come first: nothing of a refused body is kept. */
async function beforeBody<T>(request: IncomingMessage, decide: () => T | Promise<T>): Promise<T> {
  try {
    return await decide();
  } catch (error) {
    await discardBody(request);
    throw error;
  }
}

function bodySizeOf(request: IncomingMessage, limitBytes: number): number {
  const declared = request.headers['content-length'];
  if (declared !== undefined) return Math.min(Number(declared), limitBytes);
  return request.headers['transfer-encoding'] === undefined ? 0 : limitBytes;
}

class ParsedRequest implements RouteRequest<never> {
  readonly params;
  readonly query;
  readonly body;
  readonly bytes: Buffer;
  readonly caller;
  readonly requestId: string;
  readonly raw: IncomingMessage;
  readonly #response: ServerResponse;
  #abort: AbortController | undefined;

  constructor(
    input: { params: unknown; query: unknown; body: unknown },
    bytes: Buffer,
    caller: unknown,
    requestId: string,
    raw: IncomingMessage,
    response: ServerResponse,
  ) {
    this.params = input.params as never;
    this.query = input.query as never;
    this.body = input.body as never;
    this.bytes = bytes;
    this.caller = caller as never;
    this.requestId = requestId;
    this.raw = raw;
    this.#response = response;
  }

  get address(): string {
    return this.raw.socket.remoteAddress ?? '';
  }

  /** Made when first asked for: most requests never look. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      this.#response.once('close', () => {
        if (!this.#response.writableFinished) abort.abort();
      });
    }
    return this.#abort.signal;
  }
}

/** The caller's own id when it has a sound one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && requestIdPattern.test(given) ? given : newRequestId();
}
