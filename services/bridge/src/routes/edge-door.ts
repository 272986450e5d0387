import { edgeDoorApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { BridgeDeps } from '../deps.js';
import { disconnectNode } from '../usecases/change-node.js';
import { listEdges, type VisibleEdge } from '../usecases/list-edges.js';

/** What the clients of RADICAL Edge read; no JavaScript of nodes is among it. */
export const edgeDoorRoutes = (deps: BridgeDeps): readonly Route[] => [
  route(edgeDoorApi.listEdgesWithPlugins, ({ caller }) => {
    const edges = listEdges(deps, caller.principal).map((edge) => [edge.name, toDescription(edge)] as const);
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
  route(edgeDoorApi.disconnectEdge, async ({ caller, params }) => {
    await disconnectNode(deps, caller.principal, params.name);
    return { status: 200, json: { status: 'shutdown', edge: params.name } };
  }),
];

const toDescription = ({ name, plugins }: VisibleEdge) => ({
  endpoint: { type: 'radical.edge' },
  plugins: Object.fromEntries(
    [...plugins].map(([plugin, { ui, version }]) => [
      plugin,
      { type: plugin, namespace: `/${name}/${plugin}`, version, enabled: true, ui_config: ui },
    ]),
  ),
});
