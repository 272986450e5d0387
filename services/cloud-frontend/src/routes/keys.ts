import { cloudApi, type PublicKeyView } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { SigningKey } from '@gantry/store';
import type { CloudDeps } from '../deps.js';

export const keyRoutes = ({ keyRing, logger }: CloudDeps): readonly Route[] => [
  route(cloudApi.publicKey, () => ({ status: 200, json: keyRing.current.publicKey })),
  route(cloudApi.publicKeys, () => {
    const { id } = keyRing.current;
    return { status: 200, json: keyRing.keys.map((key) => toView(key, id)) };
  }),
  route(cloudApi.rotateKey, async ({ caller, requestId }) => {
    const key = await keyRing.rotate();
    logger.info('signing key added', {
      op: 'key.rotate',
      keyId: key.id,
      by: caller.principal.user,
      requestId,
    });
    return { status: 201, json: toView(key, key.id) };
  }),
];

const toView = (key: SigningKey, currentId: number): PublicKeyView => ({
  id: key.id,
  public_key: key.publicKey,
  created_at: new Date(key.createdAtMs).toISOString(),
  is_current: key.id === currentId,
});
