import { type ClusterOffer, type Principal, placeOf, type Requirement } from '@gantry/contracts';
import { AppError, type Clock } from '@gantry/kernel';
import type { ClusterStore, DocumentStore } from '@gantry/store';
import { documentOrMissing } from './document-or-missing.js';
import { type LeftOut, type ReportedCluster, rankClusters } from './rank-clusters.js';

export interface ChooseClustersDeps {
  readonly documents: Pick<DocumentStore, 'findRequirement'>;
  readonly clusters: Pick<ClusterStore, 'list'>;
  readonly clock: Clock;
  readonly silenceMs: number;
}

/** The C client reads answers into 30 000 bytes, with its terminator and some room for us. */
const maxOfferBytes = 29_000;

/**
 * The edge clusters for a requirement, best first: at least one, and no more than the smallest client can read.
 * @throws {AppError} document-not-found, cluster-not-found with the reason, store-unavailable
 */
export async function chooseClusters(
  deps: ChooseClustersDeps,
  principal: Principal,
  requirementId: number,
): Promise<readonly ClusterOffer[]> {
  const found = await deps.documents.findRequirement(requirementId, principal);
  const { requirement } = documentOrMissing(found, 'requirement', requirementId);
  const all = await deps.clusters.list();
  const { clusters, leftOut } = rankClusters(requirement, all, deps.clock.now(), deps.silenceMs);
  if (clusters.length > 0) return fitting(clusters.map(toOffer));
  throw new AppError('cluster-not-found', explain(requirement, all.length, leftOut, deps.silenceMs));
}

function fitting(offers: readonly ClusterOffer[]): readonly ClusterOffer[] {
  let sizeBytes = 2;
  const end = offers.findIndex((offer) => {
    sizeBytes += Buffer.byteLength(JSON.stringify(offer)) + 1;
    return sizeBytes > maxOfferBytes;
  });
  return end === -1 ? offers : offers.slice(0, Math.max(1, end));
}

function toOffer({ id, name, report }: ReportedCluster): ClusterOffer {
  const place = placeOf(report.geolocation);
  return {
    ID: id,
    NAME: name,
    HOSTS: [],
    DATASTORES: [],
    VNETS: [],
    TEMPLATE: {
      EDGE_CLUSTER_FRONTEND: report.url,
      FLAVOURS: report.flavours.join(','),
      ...(report.provider == null ? {} : { PROVIDER: report.provider }),
      ...(place === undefined ? {} : { GEOLOCATION: `${place.latitude},${place.longitude}` }),
      IS_CONFIDENTIAL: report.is_confidential ? 'TRUE' : 'FALSE',
    },
  };
}

function explain(requirement: Requirement, total: number, leftOut: LeftOut, silenceMs: number): string {
  const { flavour, isConfidential, providers } = requirement;
  if (total === 0) return 'No clusters available matching the requirements: no edge cluster is enrolled';
  const reasons: readonly (readonly [number, string])[] = [
    [leftOut.silent, `not heard of for ${silenceMs / 1000} s`],
    [leftOut.flavour, `without a runtime for the flavour "${flavour}"`],
    [
      leftOut.confidential,
      isConfidential ? 'not confidential' : 'only for requirements with IS_CONFIDENTIAL',
    ],
    [leftOut.provider, `of none of the providers ${providers.join(', ').slice(0, 200)}`],
  ];
  const counted = reasons.filter(([count]) => count > 0).map(([count, reason]) => `${count} ${reason}`);
  return `No clusters available matching the requirements: of ${total}, ${counted.join('; ')}`;
}
