import type { NodeState, NodeView, Principal } from '@gantry/contracts';
import type { EdgeNode } from '@gantry/store';
import type { Holder } from './node-registry.js';
import { mayManage, resolveRights } from './resolve-rights.js';

/** A node as `principal` may see it; undefined when they may not. */
export function viewNode(
  record: EdgeNode,
  holder: Holder | undefined,
  principal: Principal,
  nowMs: number,
): NodeView | undefined {
  const rights = resolveRights(principal, record);
  if (rights.length === 0) return undefined;
  const { report, settings } = record;
  const isManager = mayManage(principal, record);
  const state = stateOf(record, holder);
  const lastSeenMs = state === 'connected' ? nowMs : record.lastSeenMs;
  return {
    name: record.name,
    state,
    kind: record.kind ?? null,
    owner: record.owner,
    version: report?.version ?? null,
    labels: { ...report?.labels, ...record.labels },
    facts: report?.facts ?? {},
    plugins: (report?.plugins ?? []).map(
      ({ name, aliases, version, state, reason, health, permissions }) => ({
        ...{ name, aliases, version, state, reason, health, permissions },
      }),
    ),
    created_at: new Date(record.createdAtMs).toISOString(),
    last_seen: lastSeenMs === undefined ? null : new Date(lastSeenMs).toISOString(),
    latency_ms: holder?.link.latencyMs ?? null,
    connections: holder?.link.connections ?? 0,
    lease_epoch: record.leaseEpoch,
    rights: [...rights],
    grants: isManager ? [...record.grants] : null,
    settings: isManager ? (settings ?? null) : null,
  };
}

function stateOf(record: EdgeNode, holder: Holder | undefined): NodeState {
  if (record.isRevoked) return 'revoked';
  if (holder?.link.isOpen === true) return 'connected';
  return record.lastSeenMs === undefined ? 'enrolled' : 'disconnected';
}
