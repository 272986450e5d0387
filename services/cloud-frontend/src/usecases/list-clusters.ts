import type { ClusterView } from '@gantry/contracts';
import type { Clock } from '@gantry/kernel';
import type { ClusterStore } from '@gantry/store';

export interface ListClustersDeps {
  readonly clusters: Pick<ClusterStore, 'list'>;
  readonly clock: Clock;
  readonly silenceMs: number;
}

/** All edge clusters: those that report, those that fell silent, and those that were enrolled and never reported. */
export async function listClusters(deps: ListClustersDeps): Promise<readonly ClusterView[]> {
  const clusters = await deps.clusters.list();
  const seenSinceMs = deps.clock.now() - deps.silenceMs;
  return clusters.map(({ id, name, report, lastSeenMs }) => {
    if (report === undefined) return { ...nothingReported, id, name };
    const isLive = lastSeenMs >= seenSinceMs;
    return {
      ...report,
      id,
      name,
      state: isLive ? 'live' : 'silent',
      last_seen: new Date(lastSeenMs).toISOString(),
      is_live: isLive,
    };
  });
}

const nothingReported = {
  url: null,
  flavours: [] as string[],
  is_confidential: false,
  capacity: 0,
  state: 'enrolled',
  last_seen: null,
  is_live: false,
} as const satisfies Partial<ClusterView>;
