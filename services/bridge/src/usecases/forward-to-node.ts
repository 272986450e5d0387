/**
 * A request of a person to a plugin of a node.
 *
 * I1. What proves who the caller is stays here: the node gets a statement of who calls, signed for this node.
 * I2. A node that the caller has no right to is answered like one that is not there.
 * I3. Every request that may change something is in the audit log once, however it ends.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { callerHeader, instanceHeader, type Principal } from '@gantry/contracts';
import { AppError, isAppError } from '@gantry/kernel';
import type { EdgeNode } from '@gantry/store';
import { type ForwardOptions, forwardHttp, forwardUpgrade, type TunnelTarget } from '@gantry/tunnel';
import type { BridgeDeps } from '../deps.js';
import { applyAnswerPolicy } from './answer-policy.js';
import { planAnswerTimeoutMs } from './plan-answer-timeout.js';
import { coversPlugin, mayManage, resolveRights } from './resolve-rights.js';

export type ForwardDeps = Pick<
  BridgeDeps,
  'records' | 'registry' | 'statements' | 'sessions' | 'limits' | 'audit' | 'clock' | 'settings'
>;

export interface NodeCall {
  readonly principal: Principal;
  readonly node: string;
  readonly plugin: string;
  /** What the node is asked for: `/<plugin>/…` with the query, byte for byte. */
  readonly path: string;
  readonly requestId: string;
}

/** Besides `Authorization` and `Cookie`: other names of credentials, and what could show one. */
const withheld = ['token', 'referer', 'origin', 'forwarded', 'x-forwarded-for', 'x-real-ip', instanceHeader];

/** The names of plugins that original edges have, and ours. */
const pluginFamilies: readonly (readonly string[])[] = [
  ['psij', 'jobs'],
  ['queue_info', 'queue-info', 'queues'],
  ['staging', 'files'],
];
const familyOf = (plugin: string) => pluginFamilies.find((names) => names.includes(plugin)) ?? [plugin];

/** @throws {AppError} node-not-found, forbidden, node-unreachable, node-busy, node-lost, node-timeout, node-failed … */
export async function forwardToNode(
  deps: ForwardDeps,
  call: NodeCall,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  await audited(deps, call, request, async () => {
    const target = await prepare(deps, call, request);
    const giveBack = deps.limits.take(call.principal.user);
    try {
      const { status } = await forwardHttp(target.link, request, response, target.options);
      return status;
    } finally {
      giveBack();
    }
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
    const giveBack = deps.limits.take(call.principal.user);
    try {
      const { status } = await forwardUpgrade(target.link, request, socket, head, target.options);
      return status;
    } finally {
      giveBack();
    }
  });
}

async function prepare(
  { records, registry, sessions, settings, statements }: ForwardDeps,
  { node, path, plugin, principal, requestId }: NodeCall,
  request: IncomingMessage,
): Promise<{ link: TunnelTarget; options: ForwardOptions }> {
  const record: EdgeNode = await records.find(node);
  const rights = resolveRights(principal, record);
  if (rights.length === 0) throw new AppError('node-not-found', `There is no node "${node}" for you`); // I2
  const link = registry.linkOf(node);
  // An original edge cannot tell reading from changing.
  if (link.kind === 'original' && !coversPlugin(rights, familyOf(plugin)))
    throw new AppError('forbidden', `${node} is an original edge: its plugin needs the right "${plugin}:*"`);
  const isManager = mayManage(principal, record);
  const session = { node, plugin, path, user: principal.user, isManager };
  return {
    link: link.kind === 'original' ? sessions.guard(link, session) : link,
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

/** I3. A WebSocket may change anything. */
async function audited(
  { audit, clock }: ForwardDeps,
  { node, path, principal, requestId }: NodeCall,
  request: IncomingMessage,
  work: () => Promise<number>,
): Promise<void> {
  const method = request.method ?? 'GET';
  const isUpgrade = request.headers.upgrade !== undefined;
  const startedMs = clock.monotonicMs();
  const record = (end: { status?: number; code?: string }) => {
    if (reading.has(method) && !isUpgrade) return;
    const { status } = end;
    audit.record({
      action: 'node.call',
      outcome: status === undefined || status >= 500 ? 'failed' : status >= 400 ? 'refused' : 'done',
      user: principal.user,
      node,
      method,
      path: path.split('?', 1)[0] ?? '',
      ...end,
      requestId,
      address: request.socket.remoteAddress ?? '',
      durationMs: Math.round(clock.monotonicMs() - startedMs),
    });
  };
  try {
    record({ status: await work() });
  } catch (error) {
    record(isAppError(error) ? { status: error.status, code: error.code } : {});
    throw error;
  }
}
