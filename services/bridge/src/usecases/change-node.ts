import type { AgentConfigDocument, NodeGrant, NodeView, Principal } from '@gantry/contracts';
import { AppError, messageOf } from '@gantry/kernel';
import type { EdgeNode } from '@gantry/store';
import type { BridgeDeps } from '../deps.js';
import { mayManage, resolveRights } from './resolve-rights.js';
import { viewNode } from './view-node.js';

export type ChangeDeps = Pick<
  BridgeDeps,
  'nodes' | 'records' | 'registry' | 'feeds' | 'audit' | 'clock' | 'logger'
>;

/** @throws {AppError} node-not-found */
export async function showNode(deps: ChangeDeps, principal: Principal, name: string): Promise<NodeView> {
  const record = await deps.records.refresh(name);
  const view = viewNode(record, deps.registry.holderOf(name), principal, deps.clock.now());
  if (view === undefined) throw notFound(name);
  return view;
}

/** @throws {AppError} node-not-found, forbidden */
export async function setGrants(
  deps: ChangeDeps,
  principal: Principal,
  name: string,
  grants: readonly NodeGrant[],
): Promise<NodeView> {
  return await change(deps, principal, name, 'node.grant', () => deps.nodes.setGrants(name, grants));
}

/** A connected agent gets them at once. @throws {AppError} node-not-found, forbidden */
export async function setSettings(
  deps: ChangeDeps,
  principal: Principal,
  name: string,
  settings: Omit<AgentConfigDocument, 'revision'>,
): Promise<NodeView> {
  const view = await change(deps, principal, name, 'node.settings', async () => {
    return (await deps.nodes.setSettings(name, settings)) !== undefined;
  });
  await deps.feeds.pushSettings(name).catch((error: unknown) => {
    // It gets them when it connects again.
    deps.logger.warn('settings were not sent', { node: name, reason: messageOf(error) });
  });
  return view;
}

/** @throws {AppError} node-not-found, forbidden */
export async function revokeNode(deps: ChangeDeps, principal: Principal, name: string): Promise<NodeView> {
  return await change(deps, principal, name, 'node.revoke', () =>
    deps.registry.evict(name, 'the credential was revoked', () => deps.nodes.revoke(name)),
  );
}

/** @throws {AppError} node-not-found, forbidden */
export async function removeNode(deps: ChangeDeps, principal: Principal, name: string): Promise<void> {
  await demandManager(deps, principal, name);
  const isRemoved = await deps.registry.evict(name, 'the node was removed', () => deps.nodes.remove(name));
  deps.audit.record({ action: 'node.remove', outcome: 'done', user: principal.user, node: name });
  if (!isRemoved) throw notFound(name);
}

/** @throws {AppError} node-not-found, forbidden, node-unreachable */
export async function disconnectNode(
  deps: ChangeDeps,
  principal: Principal,
  name: string,
): Promise<NodeView> {
  return await change(deps, principal, name, 'node.disconnect', async () => {
    if (!deps.registry.disconnect(name, 'disconnected by a person', true))
      throw new AppError('node-unreachable', `${name} is not connected`);
    return true;
  });
}

async function change(
  deps: ChangeDeps,
  principal: Principal,
  name: string,
  action: string,
  work: () => Promise<boolean>,
): Promise<NodeView> {
  await demandManager(deps, principal, name);
  if (!(await work())) throw notFound(name);
  deps.records.forget(name);
  deps.audit.record({ action, outcome: 'done', user: principal.user, node: name });
  return await showNode(deps, principal, name);
}

async function demandManager(
  { audit, records }: ChangeDeps,
  principal: Principal,
  name: string,
): Promise<EdgeNode> {
  const record = await records.refresh(name);
  if (mayManage(principal, record)) return record;
  audit.record({ action: 'node.change', outcome: 'refused', user: principal.user, node: name });
  if (resolveRights(principal, record).length === 0) throw notFound(name);
  throw new AppError('forbidden', 'Only the owner of the node and administrators may do this');
}

const notFound = (name: string) => new AppError('node-not-found', `There is no node "${name}" for you`);
