import { bridgeApi, enrolmentNonceHeader, enrolmentNonceSchema } from '@gantry/contracts';
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
import { audited } from './audited.js';

const ok = (json: unknown) => ({ status: 200, json });

export const nodeRoutes = (deps: BridgeDeps): readonly Route[] => [
  route(bridgeApi.listNodes, async ({ caller, query }) => {
    const { items, nextCursor } = await listNodes(deps, caller.principal, query);
    return ok({ items, next_cursor: nextCursor });
  }),
  route(bridgeApi.readNode, async ({ caller, params }) =>
    ok(await showNode(deps, caller.principal, params.name)),
  ),
  route(bridgeApi.enrolNode, async (request) => ({
    status: 201,
    json: await enrolNode(audited(deps, request), request.caller.principal, request.body),
  })),
  route(bridgeApi.redeemEnrolment, async (request) => {
    const { address, caller, params, raw } = request;
    const nonce = enrolmentNonceSchema.safeParse(raw.headers[enrolmentNonceHeader]).data;
    const proof = { name: params.name, enrolmentToken: caller.enrolmentToken, nonce, address };
    return { status: 201, json: await redeemEnrolment(audited(deps, request), proof) };
  }),
  route(bridgeApi.setNodeGrants, async (request) => {
    const { body, caller, params } = request;
    return ok(await setGrants(audited(deps, request), caller.principal, params.name, body));
  }),
  route(bridgeApi.setNodeSettings, async (request) => {
    const { body, caller, params } = request;
    return ok(await setSettings(audited(deps, request), caller.principal, params.name, body));
  }),
  route(bridgeApi.revokeNode, async (request) =>
    ok(await revokeNode(audited(deps, request), request.caller.principal, request.params.name)),
  ),
  route(bridgeApi.disconnectNode, async (request) =>
    ok(await disconnectNode(audited(deps, request), request.caller.principal, request.params.name)),
  ),
  route(bridgeApi.removeNode, async (request) => {
    await removeNode(audited(deps, request), request.caller.principal, request.params.name);
    return { status: 204 };
  }),
];
