import type { Clock } from '@gantry/kernel';
import type { ClusterStore } from '@gantry/store';
import { enrolCluster } from './enrol-cluster.js';
import { hashOfEnrolmentToken } from './report-cluster.js';

export interface KeepEnrolmentDeps {
  readonly clusters: Pick<ClusterStore, 'enrol' | 'isEnrolled' | 'list'>;
  readonly clock: Clock;
  readonly silenceMs: number;
}

/**
 * The enrolment of a cluster that starts in the same process: the token it kept, as long as that is still the one of
 * its name, or else a new one.
 * @throws {Error} when another cluster reports under this name: a new token would lock that one out. Also {AppError}
 * store-unavailable
 */
export async function keepEnrolment(
  deps: KeepEnrolmentDeps,
  name: string,
  keptToken: string | undefined,
): Promise<string> {
  if (keptToken !== undefined && (await deps.clusters.isEnrolled(name, hashOfEnrolmentToken(keptToken))))
    return keptToken;
  const known = (await deps.clusters.list()).find((cluster) => cluster.name === name);
  if (known?.report !== undefined) {
    const silentMs = deps.clock.now() - known.lastSeenMs;
    if (silentMs <= deps.silenceMs)
      throw new Error(
        `Another cluster named "${name}" uses this store: it reported ${Math.max(0, Math.round(silentMs / 1000))} s ago from ${known.report.url}. ` +
          `Give this one a name of its own with GANTRY_CLUSTER_NAME, or stop the other and start again ${deps.silenceMs / 1000} s later.`,
      );
  }
  return enrolCluster(deps, name);
}
