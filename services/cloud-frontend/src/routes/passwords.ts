import { cloudApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { CloudDeps } from '../deps.js';
import { changePassword } from '../usecases/change-password.js';
import { checkCredentials } from '../usecases/check-credentials.js';

/** `me` stands first: it would also match `{name}`. */
export const passwordRoutes = (deps: CloudDeps): readonly Route[] => [
  route(cloudApi.setOwnPassword, async ({ caller, body, address, requestId }) => {
    const name = caller.principal.user;
    await checkCredentials(deps, { name, password: body.current_password, address });
    await changePassword(deps, name, body.password);
    deps.logger.info('password changed', { op: 'account.set-password', account: name, by: name, requestId });
    return { status: 204 };
  }),
  route(cloudApi.setAccountPassword, async ({ caller, params: { name }, body, requestId }) => {
    await changePassword(deps, name, body.password);
    const by = caller.principal.user;
    deps.logger.info('password changed', { op: 'account.set-password', account: name, by, requestId });
    return { status: 204 };
  }),
];
