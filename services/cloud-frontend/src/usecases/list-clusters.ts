import type { ClusterView } from '@gantry/contracts';
import type { Clock } from '@gantry/kernel';
import type { ClusterStore } from '@gantry/store';

export interface ListClustersDeps {
  readonly clusters: Pick<ClusterStore, 'list'>;
  readonly clock: Clock;
  readonly silenceMs: number;
}

/** The edge clusters that have reported, silent ones too; one that is only enrolled has nothing to show yet. */
export async function listClusters(deps: ListClustersDeps): Promise<readonly ClusterView[]> {
  const clusters = await deps.clusters.list();
  const seenSinceMs = deps.clock.now() - deps.silenceMs;
  return clusters.flatMap(({ id, name, report, lastSeenMs }) =>
    report === undefined
      ? []
      : [
          {
            ...report,
            id,
            name,
            last_seen: new Date(lastSeenMs).toISOString(),
            is_live: lastSeenMs >= seenSinceMs,
          },
        ],
  );
}
