import type { NodeView, Principal } from '@gantry/contracts';
import type { Page, PageRequest } from '@gantry/store';
import type { BridgeDeps } from '../deps.js';
import { viewNode } from './view-node.js';

/** Rows read for one page: an account that sees few nodes of very many gets a short page and a cursor. */
const maxRowsPerPage = 2000;

/** The nodes that the principal may see, by name. Facts may be large: they are shown with the node itself. */
export async function listNodes(
  {
    bridgeId,
    clock,
    labelSettings,
    nodes,
    registry,
  }: Pick<BridgeDeps, 'nodes' | 'registry' | 'clock' | 'bridgeId' | 'labelSettings'>,
  principal: Principal,
  page: PageRequest,
): Promise<Page<NodeView>> {
  const items: NodeView[] = [];
  const byLabel = await labelSettings.all();
  let { cursor } = page;
  for (let rows = 0; rows < maxRowsPerPage; ) {
    const read = await nodes.list({ limit: page.limit - items.length, cursor });
    for (const record of read.items) {
      const holder = registry.holderOf(record.name);
      const view = viewNode(record, holder, principal, clock.now(), bridgeId, byLabel);
      if (view !== undefined) items.push({ ...view, facts: null });
    }
    rows += read.items.length;
    if (read.nextCursor === null) return { items, nextCursor: null };
    cursor = read.nextCursor;
    if (items.length >= page.limit) break;
  }
  return { items, nextCursor: cursor ?? null };
}
