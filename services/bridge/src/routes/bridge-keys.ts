import { bridgeApi, type PublicKeyView } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { SigningKey } from '@gantry/store';
import type { BridgeDeps } from '../deps.js';
import { audited } from './audited.js';

export const bridgeKeyRoutes = (deps: BridgeDeps): readonly Route[] => [
  route(bridgeApi.listBridgeKeys, () => {
    const { id } = deps.keys.current;
    return { status: 200, json: deps.keys.keys.map((key) => toView(key, id)) };
  }),
  route(bridgeApi.rotateBridgeKey, async (request) => {
    const key = await deps.keys.rotate();
    const { user } = request.caller.principal;
    const entry = { action: 'bridge.rotate-key', outcome: 'done', user } as const;
    audited(deps, request).audit.record({ ...entry, detail: `key ${key.id}` });
    return { status: 201, json: toView(key, key.id) };
  }),
];

const toView = (key: SigningKey, currentId: number): PublicKeyView => ({
  id: key.id,
  public_key: key.publicKey,
  created_at: new Date(key.createdAtMs).toISOString(),
  is_current: key.id === currentId,
});
