import type { NodeState, NodeView, Principal } from '@gantry/contracts';
import type { EdgeNode, LeaseHolder } from '@gantry/store';
import { holderElsewhere } from './holder-elsewhere.js';
import type { LabelDocuments } from './label-settings.js';
import type { Holder } from './node-registry.js';
import { mayManage, resolveRights } from './resolve-rights.js';
import { labelsOf, resolveInForce } from './settings-in-force.js';

/** A node as `principal` may see it; undefined when they may not. */
export function viewNode(
  record: EdgeNode,
  holder: Holder | undefined,
  principal: Principal,
  nowMs: number,
  bridgeId: string,
  byLabel: LabelDocuments,
): NodeView | undefined {
  const rights = resolveRights(principal, record);
  if (rights.length === 0) return undefined;
  const { report, settings } = record;
  const isManager = mayManage(principal, record);
  const elsewhere = holder === undefined ? holderElsewhere(record, bridgeId, nowMs) : undefined;
  const state = stateOf(record, holder, elsewhere);
  const lastSeenMs = holder !== undefined && state === 'connected' ? nowMs : record.lastSeenMs;
  return {
    name: record.name,
    state,
    kind: record.kind ?? null,
    owner: record.owner,
    version: report?.version ?? null,
    labels: labelsOf(record),
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
    bridge_url: elsewhere?.url ?? null,
    lease_epoch: record.leaseEpoch,
    rights: [...rights],
    grants: isManager ? [...record.grants] : null,
    settings: isManager ? (settings ?? null) : null,
    settings_in_force: isManager ? (resolveInForce(record, byLabel) ?? null) : null,
    settings_applied: isManager ? (report?.config ?? null) : null,
  };
}

function stateOf(
  record: EdgeNode,
  holder: Holder | undefined,
  elsewhere: LeaseHolder | undefined,
): NodeState {
  if (record.isRevoked) return 'revoked';
  if (holder?.link.isOpen === true || elsewhere !== undefined) return 'connected';
  return record.lastSeenMs === undefined ? 'enrolled' : 'disconnected';
}
