import { buildFlavourTopology, buildSharedTopology, type Topology } from '@gantry/broker';
import type { EdgeFrontendConfig } from './config.js';

export const topologyOptionsOf = ({ broker }: EdgeFrontendConfig) => ({ replicated: broker.isCluster });

/** What is declared before anything is published. */
export const topologiesOf = (config: EdgeFrontendConfig): Topology[] => [
  buildSharedTopology(topologyOptionsOf(config)),
  ...config.edge.flavours.map((flavour) => buildFlavourTopology(flavour, topologyOptionsOf(config))),
];
