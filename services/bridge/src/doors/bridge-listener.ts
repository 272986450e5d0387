/** What streams is answered here; everything else by the routes. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { requestIdOf, send, toProblemReply } from '@gantry/http';
import { AppError, isAppError } from '@gantry/kernel';
import { closeAfterAnswer } from '@gantry/tunnel';
import type { BridgeDeps } from '../deps.js';
import { forwardToNode } from '../usecases/forward-to-node.js';
import type { CallerCheck } from './authorize.js';
import { streamEvents, streamOriginalEvents } from './event-stream.js';
import { planRequest, type RequestPlan } from './plan-request.js';

const ownBodyMs = 60_000;

export function buildListener(
  deps: BridgeDeps,
  callers: CallerCheck,
  routes: RequestListener,
): RequestListener {
  return (request, response) => {
    void answer(deps, callers, routes, request, response);
  };
}

async function answer(
  deps: BridgeDeps,
  callers: CallerCheck,
  routes: RequestListener,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const requestId = requestIdOf(request);
  let plan: RequestPlan | undefined;
  try {
    plan = planRequest(request.url ?? '/');
    request.url = plan.url;
    switch (plan.kind) {
      case 'own':
        callers.enter(request, plan.token, /^\/edges?(\/|\?|$)/.test(plan.url));
        limitBody(request, response);
        routes(request, response);
        return;
      case 'tunnel':
      case 'register':
        throw new AppError('malformed-request', 'This is where nodes come in, by upgrade to a WebSocket');
      case 'events':
        return await answerEvents(deps, callers, plan, request, response);
      case 'node': {
        const { door, node, path, plugin } = plan;
        const caller = await callers.callerOf(request, plan.token, door === 'original');
        await forwardToNode(deps, { caller, node, plugin, path, requestId }, request, response);
      }
    }
  } catch (error) {
    refuse(deps, error, requestId, plan?.url, request, response);
  }
}

/** The server itself has no time limit for bodies, because uploads to nodes need none; our own routes take little. */
function limitBody(request: IncomingMessage, response: ServerResponse): void {
  const timer = setTimeout(() => {
    if (!request.complete) request.destroy();
  }, ownBodyMs);
  response.once('close', () => clearTimeout(timer));
}

async function answerEvents(
  deps: BridgeDeps,
  callers: CallerCheck,
  { door, token, url }: RequestPlan & { kind: 'events' },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET')
    throw new AppError('method-not-allowed', 'Events are read with GET', { headers: { allow: 'GET' } });
  const caller = await callers.callerOf(request, token, door === 'original');
  if (door === 'original') return await streamOriginalEvents(deps, caller, response);
  const query = new URL(url, 'http://bridge').searchParams;
  const lastId = request.headers['last-event-id'];
  await streamEvents(deps, caller, response, {
    filter: {
      node: query.get('node') ?? undefined,
      plugin: query.get('plugin') ?? undefined,
      topic: query.get('topic') ?? undefined,
    },
    lastId: typeof lastId === 'string' ? lastId : undefined,
  });
}

function refuse(
  deps: BridgeDeps,
  error: unknown,
  requestId: string,
  url: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (response.destroyed || response.headersSent) {
    response.destroy();
    return;
  }
  if (!isAppError(error))
    deps.logger.error('request failed', { requestId, path: url?.split('?', 1)[0], error });
  const instance = url?.split('?', 1)[0];
  const reply = toProblemReply(error, { requestId, ...(instance === undefined ? {} : { instance }) });
  // Who uploads learns at once that it is in vain, and gets to read why.
  closeAfterAnswer(request, response);
  send(response, reply, requestId);
}
