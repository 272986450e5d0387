import type { AgentConfigDocument, NodeGrant, NodeView, Principal } from '@gantry/contracts';
import { AppError, hasCode, messageOf } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';
import { checkNodeSettings } from './check-settings.js';
import { unreachableHere } from './holder-elsewhere.js';
import { demandNoPrograms } from './own-machine.js';
import { mayManage, resolveRights } from './resolve-rights.js';
import { describeSettings } from './settings-in-force.js';
import { viewNode } from './view-node.js';

export type ChangeDeps = Pick<
  BridgeDeps,
  | 'nodes'
  | 'records'
  | 'registry'
  | 'feeds'
  | 'streams'
  | 'audit'
  | 'clock'
  | 'logger'
  | 'bridgeId'
  | 'labelSettings'
  | 'ownMachine'
>;

/** @throws {AppError} node-not-found */
export async function showNode(deps: ChangeDeps, principal: Principal, name: string): Promise<NodeView> {
  const record = await deps.records.refresh(name);
  const holder = deps.registry.holderOf(name);
  const byLabel = await deps.labelSettings.all();
  const view = viewNode(record, holder, principal, deps.clock.now(), deps.bridgeId, byLabel);
  if (view === undefined) throw notFound(name);
  return view;
}

/** @throws {AppError} node-not-found, forbidden, invalid-request */
export async function setGrants(
  deps: ChangeDeps,
  principal: Principal,
  name: string,
  grants: readonly NodeGrant[],
): Promise<NodeView> {
  const detail = grants.map(({ rights, user }) => `${user}=${rights.join(',')}`).join(' ');
  const view = await change({ deps, principal, name, action: 'node.grant', detail }, async () => {
    if (name === deps.ownMachine) demandNoPrograms(name, grants);
    return await deps.nodes.setGrants(name, grants);
  });
  // Who may do less by now does not go on with what is open.
  await deps.streams.checkNode(name);
  return view;
}

/**
 * A connected agent gets them at once.
 * @throws {AppError} node-not-found, forbidden, precondition-failed, invalid-request with the fields
 */
export async function setSettings(
  deps: ChangeDeps,
  principal: Principal,
  name: string,
  {
    revision,
    ...settings
  }: Omit<AgentConfigDocument, 'revision'> & { readonly revision?: number | undefined },
): Promise<NodeView> {
  const detail = describeSettings(settings);
  await change({ deps, principal, name, action: 'node.settings', detail }, async () => {
    await checkNodeSettings(deps, name, settings);
    return (await deps.nodes.setSettings(name, settings, revision)) !== undefined;
  });
  await deps.feeds.pushSettings(name).catch((error: unknown) => {
    // It gets them when it connects again.
    deps.logger.warn('settings were not sent', { node: name, reason: messageOf(error) });
  });
  // With what the node said to them.
  return await showNode(deps, principal, name);
}

/** @throws {AppError} node-not-found, forbidden */
export async function revokeNode(deps: ChangeDeps, principal: Principal, name: string): Promise<NodeView> {
  return await change({ deps, principal, name, action: 'node.revoke' }, () =>
    deps.registry.evict(name, 'the credential was revoked', () => deps.nodes.revoke(name)),
  );
}

/** @throws {AppError} node-not-found, forbidden */
export async function removeNode(deps: ChangeDeps, principal: Principal, name: string): Promise<void> {
  const action = 'node.remove';
  await demandManager({ deps, principal, name, action });
  const isRemoved = await deps.registry.evict(name, 'the node was removed', () => deps.nodes.remove(name));
  deps.audit.record({ action, outcome: 'done', user: principal.user, node: name });
  if (!isRemoved) throw notFound(name);
}

/** @throws {AppError} node-not-found, forbidden, node-unreachable, node-elsewhere */
export async function disconnectNode(
  deps: ChangeDeps,
  principal: Principal,
  name: string,
): Promise<NodeView> {
  return await change({ deps, principal, name, action: 'node.disconnect' }, async () => {
    if (!deps.registry.disconnect(name, 'disconnected by a person', true))
      throw unreachableHere(await deps.records.refresh(name), deps.bridgeId, deps.clock.now());
    return true;
  });
}

interface Change {
  readonly deps: ChangeDeps;
  readonly principal: Principal;
  readonly name: string;
  readonly action: string;
  /** For the audit log. */
  readonly detail?: string;
}

async function change(one: Change, work: () => Promise<boolean>): Promise<NodeView> {
  const { action, deps, detail, name, principal } = one;
  await demandManager(one);
  if (!(await work())) throw notFound(name);
  deps.records.forget(name);
  const said = detail === undefined ? {} : { detail };
  deps.audit.record({ action, outcome: 'done', user: principal.user, node: name, ...said });
  return await showNode(deps, principal, name);
}

async function demandManager({ action, deps, name, principal }: Change): Promise<void> {
  const { audit, records } = deps;
  const refused = { action, outcome: 'refused', user: principal.user, node: name } as const;
  const record = await records.refresh(name).catch((error: unknown) => {
    if (hasCode(error, 'node-not-found')) audit.recordProbe({ ...refused, code: error.code });
    throw error;
  });
  if (mayManage(principal, record)) return;
  if (resolveRights(principal, record).length === 0) {
    audit.recordProbe({ ...refused, code: 'node-not-found' });
    throw notFound(name);
  }
  audit.record({ ...refused, code: 'forbidden' });
  throw new AppError('forbidden', 'Only the owner of the node and administrators may do this');
}

const notFound = (name: string) => new AppError('node-not-found', `There is no node "${name}" for you`);
