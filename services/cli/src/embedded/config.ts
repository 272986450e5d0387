import { type CloudSettings, cloudSection } from '@gantry/cloud-frontend';
import {
  type BrokerSettings,
  brokerSection,
  type ConfigSchema,
  type ObservationSettings,
  observationSection,
  type StorageSettings,
  storageSection,
} from '@gantry/config';
import { type EdgeSettings, edgeSection } from '@gantry/edge-frontend';
import { type RuntimeSettings, runtimeSection } from '@gantry/executor';

export type EmbeddedConfig = CloudSettings &
  EdgeSettings &
  RuntimeSettings &
  BrokerSettings &
  StorageSettings &
  ObservationSettings;

const { log, ...metrics } = observationSection as { log: { format: object } & Record<string, unknown> };

/** Everything that can be set when the whole platform is one process: the sections of its services. */
export const embeddedSchema = {
  ...storageSection,
  ...brokerSection,
  ...metrics,
  // People look at this one.
  log: { ...log, format: { ...log.format, default: 'text' } },
  ...cloudSection,
  ...edgeSection,
  ...runtimeSection,
} as ConfigSchema<EmbeddedConfig>;
