import { cloudApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { CloudDeps } from '../deps.js';
import { revokeToken } from '../usecases/revoke-token.js';

export const revocationRoutes = (deps: CloudDeps): readonly Route[] => [
  route(cloudApi.revocations, async () => {
    const revocationIds = await deps.tokens.listRevoked(deps.clock.now());
    return { status: 200, json: { revocation_ids: revocationIds } };
  }),
  route(cloudApi.revokeToken, async ({ caller, body, requestId }) => {
    // Remembered from a moment ago: only the verifier knows the ids of the caller's own blocks.
    const verified = await deps.keyRing.verify(caller.token);
    await revokeToken(deps, verified, body.revocation_id);
    deps.logger.info('token revoked', { op: 'token.revoke', by: caller.principal.user, requestId });
    return { status: 204 };
  }),
];
