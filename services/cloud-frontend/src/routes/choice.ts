import { cloudApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { CloudDeps } from '../deps.js';
import { chooseClusters } from '../usecases/choose-clusters.js';
import { collectLatenciesMs } from '../usecases/collect-latencies.js';

export const choiceRoutes = (deps: CloudDeps): readonly Route[] => [
  route(cloudApi.chooseClusters, async ({ caller, params }) => ({
    status: 200,
    json: await chooseClusters(deps, caller.principal, params.id),
  })),
  route(cloudApi.reportLatency, ({ body }) => {
    for (const latencyMs of collectLatenciesMs(body)) deps.latencies.observe(latencyMs / 1000);
    return { status: 200, json: null };
  }),
];
