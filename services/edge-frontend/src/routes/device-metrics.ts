import { edgeApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { EdgeDeps } from '../deps.js';

export const deviceMetricsRoute = ({ deviceMetrics }: EdgeDeps): Route =>
  route(edgeApi.reportDeviceMetrics, ({ body, caller }) => {
    if (body !== undefined) deviceMetrics.report(caller.principal.user, body);
    return { status: 200, json: null };
  });
