import { type Clock, newSecret } from '@gantry/kernel';
import type { ClusterStore } from '@gantry/store';
import { hashOfEnrolmentToken } from './report-cluster.js';

export interface EnrolClusterDeps {
  readonly clusters: Pick<ClusterStore, 'enrol'>;
  readonly clock: Clock;
}

/**
 * Makes a token with which one edge cluster reports under this name; an earlier one stops working. Only its hash is
 * kept.
 * @throws {AppError} store-unavailable
 */
export async function enrolCluster(deps: EnrolClusterDeps, name: string): Promise<string> {
  const token = newSecret();
  await deps.clusters.enrol(name, hashOfEnrolmentToken(token), deps.clock.now());
  return token;
}
