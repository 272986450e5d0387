import { isAdministrator, type Principal } from '@gantry/contracts';
import type { EdgeNode } from '@gantry/store';

/** The parts of a node that decide who may do what there. */
export type NodeAccess = Pick<EdgeNode, 'owner' | 'grants'>;

const everyone = '*';
const maxRights = 128;

/** Owners and administrators: every plugin, and reading what the agent says of itself. */
const ownerRights = ['*', 'agent:read'] as const;

/** Whether the principal may change the node itself: grants, settings, revocation. */
export const mayManage = (principal: Principal, { owner }: NodeAccess): boolean =>
  principal.user === owner || isAdministrator(principal);

/** What the principal may do on the node; empty: the node is not there for them. */
export function resolveRights(principal: Principal, node: NodeAccess): readonly string[] {
  if (mayManage(principal, node)) return ownerRights;
  const rights = node.grants
    .filter(({ user }) => user === principal.user || user === everyone)
    .flatMap((grant) => grant.rights);
  return [...new Set(rights)].slice(0, maxRights);
}

/** Whether the rights cover all of a plugin; for nodes that do not check rights themselves. */
export const coversPlugin = (rights: readonly string[], names: readonly string[]): boolean =>
  rights.some((right) => right === '*' || names.some((name) => right === `${name}:*`));

/** Whether the rights are of the plugin at all, whatever they allow there. */
export const concernsPlugin = (rights: readonly string[], names: readonly string[]): boolean =>
  rights.some((right) => right === '*' || names.some((name) => right.startsWith(`${name}:`)));

/** The names of plugins that original edges have, and ours. */
const pluginFamilies: readonly (readonly string[])[] = [
  ['psij', 'jobs'],
  ['queue_info', 'queue-info', 'queues'],
  ['staging', 'files'],
];
export const familyOf = (plugin: string): readonly string[] =>
  pluginFamilies.find((names) => names.includes(plugin)) ?? [plugin];
