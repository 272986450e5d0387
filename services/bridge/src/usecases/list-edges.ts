import type { Principal } from '@gantry/contracts';
import type { BridgeDeps } from '../deps.js';
import type { Holder } from './node-registry.js';
import { resolveRights } from './resolve-rights.js';

export interface VisibleEdge {
  readonly name: string;
  /** By every name they answer to. */
  readonly plugins: ReadonlyMap<
    string,
    { readonly version: string; readonly ui: Readonly<Record<string, unknown>> }
  >;
}

type ListEdgesDeps = Pick<BridgeDeps, 'registry' | 'records'>;

/** The connected nodes that the principal may see, as clients of RADICAL Edge know them. */
export const listEdges = (
  { records, registry }: ListEdgesDeps,
  principal: Principal,
): readonly VisibleEdge[] => registry.holders.flatMap((holder) => toEdge(holder, records, principal) ?? []);

function toEdge(
  { link, name }: Holder,
  records: ListEdgesDeps['records'],
  principal: Principal,
): VisibleEdge | undefined {
  const record = records.peek(name);
  if (record === undefined || !link.isOpen || resolveRights(principal, record).length === 0) return undefined;
  const plugins = new Map<string, { version: string; ui: Record<string, unknown> }>();
  for (const plugin of record.report?.plugins ?? []) {
    if (plugin.state !== 'running' || plugin.name === 'agent') continue;
    for (const known of [plugin.name, ...plugin.aliases])
      plugins.set(known, { version: plugin.version, ui: plugin.ui });
  }
  return { name, plugins };
}
