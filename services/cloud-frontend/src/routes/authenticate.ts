import { cloudApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import { AppError, isAppError } from '@gantry/kernel';
import type { CloudDeps } from '../deps.js';
import { signIn } from '../usecases/sign-in.js';

/** Clients of the protocol know Basic only; a 401 that asks for Bearer would be of no help to them. */
const basicChallenge = { 'www-authenticate': 'Basic realm="gantry"' };

export const authenticateRoute = (deps: CloudDeps): Route =>
  route(cloudApi.authenticate, async ({ caller, address, requestId }) => {
    try {
      const token = await signIn(deps, { ...caller, address });
      deps.signIns.inc({ outcome: 'ok' });
      return { status: 201, json: token };
    } catch (error) {
      const outcome = isAppError(error) ? error.code : 'internal-error';
      deps.signIns.inc({ outcome });
      deps.logger.info('sign-in failed', { op: 'account.sign-in', outcome, address, requestId });
      if (outcome !== 'invalid-credentials') throw error;
      throw new AppError(outcome, undefined, { cause: error, headers: basicChallenge });
    }
  });
