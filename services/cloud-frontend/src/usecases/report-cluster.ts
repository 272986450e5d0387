import { createHash } from 'node:crypto';
import type { ClusterReport } from '@gantry/contracts';
import { AppError, type Clock } from '@gantry/kernel';
import type { ClusterStore } from '@gantry/store';

export interface ReportClusterDeps {
  readonly clusters: Pick<ClusterStore, 'report'>;
  readonly clock: Clock;
}

/** What is kept of an enrolment token. */
export const hashOfEnrolmentToken = (token: string): string =>
  createHash('sha256').update(token).digest('hex');

/**
 * Registers an edge cluster, and is its heartbeat.
 * @throws {AppError} invalid-service-credential when the token is not this cluster's, store-unavailable
 */
export async function reportCluster(
  deps: ReportClusterDeps,
  name: string,
  enrolmentToken: string,
  report: ClusterReport,
): Promise<void> {
  const isKnown = await deps.clusters.report(
    name,
    hashOfEnrolmentToken(enrolmentToken),
    report,
    deps.clock.now(),
  );
  if (!isKnown)
    throw new AppError(
      'invalid-service-credential',
      `The enrolment token is not that of the cluster ${name}`,
    );
}
