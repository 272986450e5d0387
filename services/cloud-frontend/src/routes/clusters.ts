import { cloudApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import { AppError } from '@gantry/kernel';
import type { CloudDeps } from '../deps.js';
import { enrolCluster } from '../usecases/enrol-cluster.js';
import { listClusters } from '../usecases/list-clusters.js';
import { reportCluster } from '../usecases/report-cluster.js';

export const clusterRoutes = (deps: CloudDeps): readonly Route[] => [
  route(cloudApi.reportCluster, async ({ caller, params, body }) => {
    await reportCluster(deps, params.name, caller.enrolmentToken, body);
    return { status: 204 };
  }),
  route(cloudApi.listClusters, async () => ({ status: 200, json: await listClusters(deps) })),
  route(cloudApi.enrolCluster, async ({ caller, body: { name }, requestId }) => {
    const enrolmentToken = await enrolCluster(deps, name);
    deps.logger.info('cluster enrolled', { op: 'cluster.enrol', name, by: caller.principal.user, requestId });
    return { status: 201, json: { name, enrolment_token: enrolmentToken } };
  }),
  route(cloudApi.removeCluster, async ({ caller, params: { name }, requestId }) => {
    if (!(await deps.clusters.remove(name)))
      throw new AppError('cluster-not-found', `There is no edge cluster named ${name}`);
    deps.logger.info('cluster removed', { op: 'cluster.remove', name, by: caller.principal.user, requestId });
    return { status: 204 };
  }),
];
