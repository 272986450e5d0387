import { type ClusterReport, type Place, placeOf, type Requirement } from '@gantry/contracts';
import type { Cluster } from '@gantry/store';

/** A cluster that has reported. */
export type ReportedCluster = Cluster & { readonly report: ClusterReport };

/** Why clusters were left out, in the order of the filters; each cluster counts once. */
export interface LeftOut {
  readonly silent: number;
  readonly flavour: number;
  readonly confidential: number;
  readonly provider: number;
}

export interface Ranking {
  /** Nearest first. */
  readonly clusters: readonly ReportedCluster[];
  readonly leftOut: LeftOut;
}

/**
 * The clusters that meet a requirement, nearest first. One without a place comes after those with one; when the
 * requirement has no place, all are equally far. Ties go to the lower id, so that the order never changes by itself.
 * @param silenceMs a cluster that reported longer ago is not offered
 */
export function rankClusters(
  requirement: Requirement,
  clusters: readonly Cluster[],
  nowMs: number,
  silenceMs: number,
): Ranking {
  const leftOut = { silent: 0, flavour: 0, confidential: 0, provider: 0 };
  const meets = (cluster: Cluster): cluster is ReportedCluster => {
    const reason = whyNot(requirement, cluster, nowMs - silenceMs);
    if (reason !== undefined) leftOut[reason] += 1;
    return reason === undefined;
  };
  const here = placeOf(requirement.geolocation);
  const ranked = clusters
    .filter(meets)
    .map((cluster) => ({ cluster, distanceKm: distanceKm(here, placeOf(cluster.report.geolocation)) }))
    .sort((a, b) => compare(a.distanceKm, b.distanceKm) || a.cluster.id - b.cluster.id);
  return { clusters: ranked.map(({ cluster }) => cluster), leftOut };
}

/** The first filter that a cluster does not pass. */
function whyNot(requirement: Requirement, cluster: Cluster, seenSinceMs: number): keyof LeftOut | undefined {
  const { report } = cluster;
  if (report === undefined || cluster.lastSeenMs < seenSinceMs) return 'silent';
  if (!report.flavours.includes(requirement.flavour)) return 'flavour';
  // Equality in both directions, as in COGNIT: confidential machines are kept for those who ask for them.
  if (report.is_confidential !== requirement.isConfidential) return 'confidential';
  if (requirement.providers.length === 0) return undefined;
  return requirement.providers.includes(report.provider ?? '') ? undefined : 'provider';
}

/** Not by subtraction: the difference of two infinities is not a number. */
const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

const meanEarthRadiusKm = 6371;
const toRadians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Great-circle distance by the haversine formula; infinite when a place is not known. */
export function distanceKm(a: Place | undefined, b: Place | undefined): number {
  if (a === undefined || b === undefined) return Number.POSITIVE_INFINITY;
  const halfLatitude = toRadians(b.latitude - a.latitude) / 2;
  const halfLongitude = toRadians(b.longitude - a.longitude) / 2;
  const h =
    Math.sin(halfLatitude) ** 2 +
    Math.cos(toRadians(a.latitude)) * Math.cos(toRadians(b.latitude)) * Math.sin(halfLongitude) ** 2;
  // Rounding can push antipodes beyond 1.
  return 2 * meanEarthRadiusKm * Math.asin(Math.min(1, Math.sqrt(h)));
}
