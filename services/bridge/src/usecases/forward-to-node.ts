/**
 * A request of a person to a plugin of a node.
 *
 * I1. What proves who the caller is stays here: the node gets a statement of who calls, signed for this node.
 * I2. A node that the caller has no right to is answered like one that is not there.
 * I3. Every request that may change something is in the audit log, however it ends; one that takes long also when it
 *     begins, so that a bridge that is killed has said so. Nodes that are not there are counted.
 * I4. A call ends when its caller may no longer make it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { callerHeader, instanceHeader } from '@gantry/contracts';
import { AppError, isAppError } from '@gantry/kernel';
import type { EdgeNode } from '@gantry/store';
import { type ForwardOptions, forwardHttp, forwardUpgrade, type TunnelTarget } from '@gantry/tunnel';
import type { BridgeDeps } from '../deps.js';
import { applyAnswerPolicy } from './answer-policy.js';
import type { Caller } from './open-streams.js';
import { planAnswerTimeoutMs } from './plan-answer-timeout.js';
import { coversPlugin, familyOf, mayManage, resolveRights } from './resolve-rights.js';

export type ForwardDeps = Pick<
  BridgeDeps,
  | 'records'
  | 'registry'
  | 'statements'
  | 'sessions'
  | 'limits'
  | 'edgeLimits'
  | 'streams'
  | 'audit'
  | 'clock'
  | 'settings'
>;

export interface NodeCall {
  readonly caller: Caller;
  readonly node: string;
  readonly plugin: string;
  /** What the node is asked for: `/<plugin>/…` with the query, byte for byte. */
  readonly path: string;
  readonly requestId: string;
}

/** Besides `Authorization` and `Cookie`: other names of credentials, and what could show one. */
const withheld = ['token', 'referer', 'origin', 'forwarded', 'x-forwarded-for', 'x-real-ip', instanceHeader];

/** @throws {AppError} node-not-found, forbidden, node-unreachable, node-busy, node-lost, node-timeout, node-failed … */
export async function forwardToNode(
  deps: ForwardDeps,
  call: NodeCall,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  await audited(deps, call, request, async () => {
    const target = await prepare(deps, call, request);
    return await admitted(deps, call, target, response, async () => {
      const { status } = await forwardHttp(target.link, request, response, target.options);
      return status;
    });
  });
}

/** A WebSocket through to the node. @throws as {@link forwardToNode} */
export async function forwardUpgradeToNode(
  deps: ForwardDeps,
  call: NodeCall,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  await audited(deps, call, request, async () => {
    const target = await prepare(deps, call, request);
    return await admitted(deps, call, target, socket, async () => {
      const { status } = await forwardUpgrade(target.link, request, socket, head, target.options);
      return status;
    });
  });
}

interface Target {
  readonly link: TunnelTarget;
  readonly isOriginal: boolean;
  readonly rights: readonly string[];
  readonly options: ForwardOptions;
}

async function admitted(
  { edgeLimits, limits, streams }: ForwardDeps,
  { caller, node, plugin }: NodeCall,
  { isOriginal, rights }: Target,
  way: { destroy(): unknown },
  work: () => Promise<number>,
): Promise<number> {
  const { user } = caller.principal;
  const leave = [limits.take(user)];
  try {
    // An original edge has few places for requests; nobody has them all.
    if (isOriginal) leave.push(edgeLimits.take(`${user} ${node}`));
    leave.push(streams.watch({ caller, node, plugin, rights, end: () => void way.destroy() })); // I4
    return await work();
  } finally {
    for (const one of leave) one();
  }
}

async function prepare(
  { records, registry, sessions, settings, statements }: ForwardDeps,
  { caller: { principal }, node, path, plugin, requestId }: NodeCall,
  request: IncomingMessage,
): Promise<Target> {
  const record: EdgeNode = await records.find(node);
  const rights = resolveRights(principal, record);
  if (rights.length === 0) throw new AppError('node-not-found', `There is no node "${node}" for you`); // I2
  const link = registry.linkOf(record);
  // An original edge cannot tell reading from changing.
  if (link.kind === 'original' && !coversPlugin(rights, familyOf(plugin)))
    throw new AppError('forbidden', `${node} is an original edge: its plugin needs the right "${plugin}:*"`);
  const isManager = mayManage(principal, record);
  const session = { node, plugin, path, user: principal.user, isManager };
  return {
    link: link.kind === 'original' ? sessions.guard(link, session) : link,
    isOriginal: link.kind === 'original',
    rights,
    options: {
      path,
      headers: {
        stripCredentials: true, // I1
        strip: withheld,
        set: {
          [callerHeader]: statements.stateOf(node, principal.user, rights),
          'x-request-id': requestId,
        },
      },
      toAnswer: (headers) => applyAnswerPolicy(headers, requestId),
      timeoutMs: planAnswerTimeoutMs(request.headers, settings.answerSeconds * 1000),
    },
  };
}

const reading: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A call that is open for longer is told of before it ends. */
const longMs = 1000;

/** I3. A WebSocket may change anything. */
async function audited(
  { audit, clock }: ForwardDeps,
  { caller, node, path, requestId }: NodeCall,
  request: IncomingMessage,
  work: () => Promise<number>,
): Promise<void> {
  const method = request.method ?? 'GET';
  if (reading.has(method) && request.headers.upgrade === undefined) {
    await work();
    return;
  }
  const startedMs = clock.monotonicMs();
  const call = {
    ...{ action: 'node.call', user: caller.principal.user, node, method },
    ...{ path: path.split('?', 1)[0] ?? '', requestId },
    // Now: a socket that was closed has none.
    address: request.socket.remoteAddress ?? '',
  };
  const timer = setTimeout(() => audit.record({ ...call, outcome: 'begun' }), longMs);
  const record = (end: { status?: number; code?: string }) => {
    clearTimeout(timer);
    const { code, status } = end;
    const outcome = status === undefined || status >= 500 ? 'failed' : status >= 400 ? 'refused' : 'done';
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    const entry = { ...call, outcome, ...end, durationMs } as const;
    if (code === 'node-not-found') audit.recordProbe(entry);
    else audit.record(entry);
  };
  try {
    record({ status: await work() });
  } catch (error) {
    record(isAppError(error) ? { status: error.status, code: error.code } : {});
    throw error;
  }
}
