/**
 * Answers the requests that come to an agent: who calls, which plugin, may they, is there room, and what it says.
 *
 * I1. Every request is answered or broken off; nothing that a plugin does or throws gets out of here.
 * I2. A call whose deadline is over, or whose caller left, gives its place back at once; what its handler still
 *     answers is thrown away.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders } from 'node:http';
import { constants } from 'node:http2';
import type { Readable } from 'node:stream';
import {
  AppError,
  type Clock,
  type DeadlineWheel,
  hasCode,
  isAppError,
  type Logger,
  messageOf,
  newId,
  withDeadline,
} from '@gantry/kernel';
import type { AgentMetrics } from './agent-metrics.js';
import { CallDeadline } from './call-deadline.js';
import { linkSignals } from './link-signals.js';
import { passSocket } from './pass-socket.js';
import { demandPermission } from './permissions.js';
import type { ServingPlugin } from './plugin-slot.js';
import type { PluginCall, PluginReply, PluginRoute, VerifyCaller } from './ports.js';
import { toProblemReply } from './problem-reply.js';
import { checkAnnouncedLength, defaultMaxBodyBytes, limitBody, readJsonBody } from './read-body.js';
import type { RouteMatch } from './route-table.js';
import { type AgentResponse, cutOff, discardReply, type WriteOptions, writeReply } from './write-reply.js';

/** What is needed of `IncomingMessage` and `Http2ServerRequest`. */
export interface AgentRequest extends Readable {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

export type AgentRequestHandler = (request: AgentRequest, response: AgentResponse) => void;

export interface RequestHandlerDeps {
  /** @throws {AppError} plugin-not-found, plugin-unavailable */
  readonly findPlugin: (name: string) => ServingPlugin;
  readonly verifyCaller: VerifyCaller;
  readonly running: AsyncLocalStorage<string>;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly wheel: DeadlineWheel;
  readonly streamIdleMs: number;
  readonly heartbeatMs: number;
  /** Aborts when the agent stops. */
  readonly signal: AbortSignal;
}

const defaultTimeoutMs = 30_000;
const verifyTimeoutMs = 5000;

/** How far a request got, for its log line. */
interface Progress {
  plugin?: string;
  route?: string;
  user?: string;
}

export function buildRequestHandler(deps: RequestHandlerDeps): AgentRequestHandler {
  return (request, response) => {
    void answer(request, response, deps);
  };
}

async function answer(
  request: AgentRequest,
  response: AgentResponse,
  deps: RequestHandlerDeps,
): Promise<void> {
  const requestId = requestIdOf(request.headers);
  const startedMs = deps.clock.monotonicMs();
  const caller = new AbortController();
  const unlink = linkSignals(caller, [deps.signal]);
  const { signal } = caller;
  const leave = () => caller.abort(new AppError('plugin-unavailable', 'The caller left'));
  response.on('close', leave);
  response.on('error', leave);
  request.on('error', leave);
  const options: WriteOptions = {
    isHead: request.method === 'HEAD',
    requestId,
    idleMs: deps.streamIdleMs,
    heartbeatMs: deps.heartbeatMs,
    signal,
  };
  const progress: Progress = {};
  let outcome: 'ok' | 'refused' | 'failed' | 'left' = 'ok';
  try {
    await serve(request, response, requestId, options, progress, deps);
  } catch (error) {
    outcome = signal.aborted ? 'left' : isAppError(error) && error.status < 500 ? 'refused' : 'failed';
    if (outcome === 'failed') logFailure(error, requestId, progress, deps);
    refuse(request, response, error, options);
  } finally {
    unlink();
    endRequest(request, response);
    deps.metrics.callDone(progress.plugin, outcome, deps.clock.monotonicMs() - startedMs);
    deps.logger.debug('plugin call', {
      op: 'plugin.call',
      outcome,
      request_id: requestId,
      method: request.method,
      ...progress,
      duration_ms: Math.round(deps.clock.monotonicMs() - startedMs),
    });
  }
}

async function serve(
  request: AgentRequest,
  response: AgentResponse,
  requestId: string,
  options: WriteOptions,
  progress: Progress,
  deps: RequestHandlerDeps,
): Promise<void> {
  const method = request.method ?? 'GET';
  const target = request.url ?? '/';
  const { mountedAs, path, query } = splitTarget(target);
  const identity = { method, target, headers: request.headers };
  const caller = await withDeadline(deps.verifyCaller(identity), verifyTimeoutMs, 'the check of who calls');
  progress.user = caller.user;
  const plugin = deps.findPlugin(mountedAs);
  progress.plugin = plugin.name;
  const match = plugin.table.match(method, path);
  progress.route = match.route.path;
  demandPermission(caller, match.route.permission, plugin.name, deps.clock.now());
  demandKind(match.route, method === 'CONNECT');
  checkAnnouncedLength(request.headers['content-length'], match.route.maxBodyBytes ?? defaultMaxBodyBytes);
  const giveBack = plugin.slots.take(caller.user);
  const ending = new AbortController();
  const unlink = linkSignals(ending, [options.signal, plugin.signal]);
  try {
    const sid = match.params['sid'];
    const call = {
      method,
      mountedAs,
      query,
      headers: request.headers,
      caller,
      requestId,
      session: sid === undefined ? undefined : plugin.sessions.use(sid, caller.user),
    };
    const reply = await runHandler(request, call, match, plugin, ending, deps);
    if (reply.socket === undefined) await writeReply(response, reply, options);
    else await passSocket(request, response, reply.socket, ending.signal);
  } finally {
    unlink();
    giveBack();
  }
}

/** @throws {AppError} method-not-allowed for an upgrade where there is no WebSocket, and the other way round */
function demandKind({ isWebSocket = false }: PluginRoute, isUpgrade: boolean): void {
  if (isWebSocket === isUpgrade) return;
  const detail = isUpgrade ? 'There is no WebSocket here' : 'This is a WebSocket: ask for an upgrade';
  throw new AppError('method-not-allowed', detail, { headers: { allow: 'GET' } });
}

type CallStart = Omit<PluginCall, 'body' | 'readJson' | 'signal' | 'params'>;

async function runHandler(
  request: AgentRequest,
  start: CallStart,
  { route, params }: RouteMatch,
  plugin: ServingPlugin,
  ending: AbortController,
  deps: RequestHandlerDeps,
): Promise<PluginReply> {
  const deadline = new CallDeadline(deps.wheel, route.timeoutMs ?? defaultTimeoutMs);
  const { signal } = ending;
  const maxBodyBytes = route.maxBodyBytes ?? defaultMaxBodyBytes;
  const body = limitBody(request, maxBodyBytes, () => deadline.touch());
  const call: PluginCall = {
    ...start,
    params,
    body,
    readJson: (schema, maxBytes) =>
      readJsonBody(body, schema, Math.min(maxBytes ?? defaultMaxBodyBytes, maxBodyBytes)),
    signal,
  };
  let isOver = false;
  const work = deps.running.run(plugin.name, async () => route.handler(call));
  const aborted = new Promise<never>((_resolve, reject) => {
    const stop = () => reject(reasonOf(signal));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  aborted.catch(() => undefined);
  const settled = work.finally(() => {
    isOver = true;
  });
  settled.catch(() => undefined);
  try {
    return await Promise.race([settled, deadline.over, aborted]);
  } catch (error) {
    // I2
    if (!isOver) {
      plugin.slots.abandon(call.caller.user, work.then(discardReply));
      ending.abort(error);
    }
    throw error;
  } finally {
    deadline.clear();
  }
}

/** A call that ends because its plugin stops is told so. */
const reasonOf = (signal: AbortSignal): unknown =>
  isAppError(signal.reason)
    ? signal.reason
    : new AppError('plugin-unavailable', 'The plugin is being stopped');

function refuse(request: AgentRequest, response: AgentResponse, error: unknown, options: WriteOptions): void {
  if (response.headersSent) return;
  const reply = toProblemReply(toAppError(error), options.requestId);
  const isH1 = response.stream === undefined;
  const isUnread = !request.readableEnded && request.headers['content-length'] !== undefined;
  try {
    // Reading a large body to its end only to refuse it helps nobody; HTTP/2 resets the one stream instead.
    response.writeHead(reply.status ?? 500, {
      ...(reply.headers as Record<string, string>),
      'x-content-type-options': 'nosniff',
      'x-request-id': options.requestId,
      'content-length': reply.bytes?.length ?? 0,
      ...(isH1 && isUnread ? { connection: 'close' } : {}),
    });
    if (options.isHead) response.end();
    else response.end(Buffer.from(reply.bytes ?? []));
  } catch {
    cutOff(response);
  }
}

const toAppError = (error: unknown): unknown =>
  !isAppError(error) && isTimeout(error)
    ? new AppError('plugin-timeout', messageOf(error), { cause: error })
    : error;

const isTimeout = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'name' in error && error.name === 'DeadlineError';

/** An HTTP/2 client that still sends a body nobody reads is told to stop (RFC 9113 section 8.1). */
function endRequest(request: AgentRequest, response: AgentResponse): void {
  const { stream } = response;
  if (stream === undefined || stream.closed || request.readableEnded) return;
  const close = () => {
    if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
  };
  if (stream.writableFinished) close();
  else stream.once('finish', close);
}

function logFailure(
  error: unknown,
  requestId: string,
  progress: Progress,
  { logger }: RequestHandlerDeps,
): void {
  const expected = ['plugin-unavailable', 'plugin-busy', 'port-closed'] as const;
  const isExpected = expected.some((code) => hasCode(error, code));
  const cause = isAppError(error) && error.cause !== undefined ? error.cause : error;
  logger[isExpected ? 'warn' : 'error']('a plugin call failed', {
    op: 'plugin.call',
    request_id: requestId,
    ...progress,
    error: cause instanceof Error ? cause : messageOf(error),
  });
}

function splitTarget(target: string): { mountedAs: string; path: string; query: URLSearchParams } {
  const mark = target.indexOf('?');
  const whole = mark === -1 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1));
  const [, mountedAs = '', rest] = /^\/([^/]*)(\/.*)?$/.exec(whole) ?? [];
  return { mountedAs, path: rest ?? '/', query };
}

function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : newId();
}
