import { edgeDoorApi, isAdministrator } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import { AppError } from '@gantry/kernel';
import type { BridgeDeps } from '../deps.js';
import { disconnectNode } from '../usecases/change-node.js';
import { listEdges, type VisibleEdge } from '../usecases/list-edges.js';
import { audited } from './audited.js';

/** What the clients of RADICAL Edge read; no JavaScript of nodes is among it. */
export const edgeDoorRoutes = (deps: BridgeDeps): readonly Route[] => [
  route(edgeDoorApi.listEdgesWithPlugins, ({ caller }) => {
    const hints = new HintBudget();
    const edges = listEdges(deps, caller.principal).map(
      (edge) => [edge.name, toDescription(edge, hints)] as const,
    );
    return {
      status: 200,
      json: { data: { bridge: { url: `${deps.publicUrl()}/` }, edges: Object.fromEntries(edges) } },
    };
  }),
  route(edgeDoorApi.listEdges, ({ caller }) => {
    const edges = listEdges(deps, caller.principal).map(({ name, plugins }) => ({
      name,
      plugins: [...plugins.keys()],
      connected: true,
      plugin_count: plugins.size,
    }));
    return { status: 200, json: { edges, total: edges.length } };
  }),
  route(edgeDoorApi.disconnectEdge, async (request) => {
    const { caller, params } = request;
    const own = audited(deps, request);
    if (!isAdministrator(caller.principal)) {
      const refused = { action: 'node.disconnect', outcome: 'refused', code: 'forbidden' } as const;
      own.audit.record({ ...refused, user: caller.principal.user, node: params.name });
      throw new AppError('forbidden', 'Only administrators may do this');
    }
    await disconnectNode(own, caller.principal, params.name);
    return { status: 200, json: { status: 'shutdown', edge: params.name } };
  }),
];

/** Hints for a page are the nodes' own words; together they may not make the answer as large as they like. */
class HintBudget {
  #leftChars = 1024 * 1024;

  take(ui: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const chars = JSON.stringify(ui).length;
    if (chars > this.#leftChars) return {};
    this.#leftChars -= chars;
    return ui;
  }
}

const toDescription = ({ name, plugins }: VisibleEdge, hints: HintBudget) => ({
  endpoint: { type: 'radical.edge' },
  plugins: Object.fromEntries(
    [...plugins].map(([plugin, { ui, version }]) => [
      plugin,
      {
        ...{ type: plugin, namespace: `/${name}/${plugin}`, version, enabled: true },
        ui_config: hints.take(ui),
      },
    ]),
  ),
});
