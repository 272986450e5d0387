import type { ClusterReport } from '@gantry/contracts';
import type { EdgeSettings } from './config.js';
import type { FlavourWatch } from './usecases/flavour-watch.js';

/** What is said of the cluster now. */
export const buildClusterReport = (
  edge: EdgeSettings['edge'],
  url: string,
  watch: Pick<FlavourWatch, 'liveFlavours' | 'capacity'>,
): ClusterReport => ({
  url,
  flavours: watch.liveFlavours(),
  geolocation: edge.geolocation === '' ? null : edge.geolocation,
  provider: edge.provider === '' ? null : edge.provider,
  is_confidential: edge.isConfidential,
  capacity: watch.capacity(),
});
