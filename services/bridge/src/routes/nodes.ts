import { bridgeApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { BridgeDeps } from '../deps.js';
import {
  disconnectNode,
  removeNode,
  revokeNode,
  setGrants,
  setSettings,
  showNode,
} from '../usecases/change-node.js';
import { enrolNode } from '../usecases/enrol-node.js';
import { listNodes } from '../usecases/list-nodes.js';
import { redeemEnrolment } from '../usecases/redeem-enrolment.js';

const ok = (json: unknown) => ({ status: 200, json });

export const nodeRoutes = (deps: BridgeDeps): readonly Route[] => [
  route(bridgeApi.listNodes, async ({ caller, query }) => {
    const { items, nextCursor } = await listNodes(deps, caller.principal, query);
    return ok({ items, next_cursor: nextCursor });
  }),
  route(bridgeApi.readNode, async ({ caller, params }) =>
    ok(await showNode(deps, caller.principal, params.name)),
  ),
  route(bridgeApi.enrolNode, async ({ caller, body }) => ({
    status: 201,
    json: await enrolNode(deps, caller.principal, body),
  })),
  route(bridgeApi.redeemEnrolment, async ({ caller, params, address }) => ({
    status: 201,
    json: await redeemEnrolment(deps, params.name, caller.enrolmentToken, address),
  })),
  route(bridgeApi.setNodeGrants, async ({ body, caller, params }) =>
    ok(await setGrants(deps, caller.principal, params.name, body)),
  ),
  route(bridgeApi.setNodeSettings, async ({ body, caller, params }) =>
    ok(await setSettings(deps, caller.principal, params.name, body)),
  ),
  route(bridgeApi.revokeNode, async ({ caller, params }) =>
    ok(await revokeNode(deps, caller.principal, params.name)),
  ),
  route(bridgeApi.disconnectNode, async ({ caller, params }) =>
    ok(await disconnectNode(deps, caller.principal, params.name)),
  ),
  route(bridgeApi.removeNode, async ({ caller, params }) => {
    await removeNode(deps, caller.principal, params.name);
    return { status: 204 };
  }),
];
