import type { NodeView, Principal } from '@gantry/contracts';
import type { Page, PageRequest } from '@gantry/store';
import type { BridgeDeps } from '../deps.js';
import { viewNode } from './view-node.js';

/** Rows read for one page: an account that sees few nodes of very many gets a short page and a cursor. */
const maxRowsPerPage = 2000;

/** The nodes that the principal may see, by name. */
export async function listNodes(
  { clock, nodes, registry }: Pick<BridgeDeps, 'nodes' | 'registry' | 'clock'>,
  principal: Principal,
  page: PageRequest,
): Promise<Page<NodeView>> {
  const items: NodeView[] = [];
  let { cursor } = page;
  for (let rows = 0; rows < maxRowsPerPage; ) {
    const read = await nodes.list({ limit: page.limit - items.length, cursor });
    for (const record of read.items) {
      const view = viewNode(record, registry.holderOf(record.name), principal, clock.now());
      if (view !== undefined) items.push(view);
    }
    rows += read.items.length;
    if (read.nextCursor === null) return { items, nextCursor: null };
    cursor = read.nextCursor;
    if (items.length >= page.limit) break;
  }
  return { items, nextCursor: cursor ?? null };
}
