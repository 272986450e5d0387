import { edgeApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import { type ScaleDeps, scaleRuntimes } from '../usecases/scale-runtimes.js';

export const scaleRoute = (deps: ScaleDeps): Route =>
  route(edgeApi.scaleRuntimes, async ({ caller, query }) => {
    const { flavour, target_cardinality: count } = query;
    const json = await scaleRuntimes(deps, { flavour, count, principal: caller.principal });
    return { status: 200, json };
  });
